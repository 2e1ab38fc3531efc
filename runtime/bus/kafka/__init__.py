"""The bus on Apache Kafka: FastStream consumes, our own producer publishes; every library option is spelled out."""

from runtime.bus.kafka.log import KafkaBus

__all__ = ["KafkaBus"]
