"""What every service that consumes shows of it: batches, retries and dead letters; never called for each record."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.topics import Topic
from runtime.bus.port import Batch
from runtime.metrics import Metrics


class BusObserver:
    """Feeds the metrics that the catalogue has for all consumers; `topics` are those read, so that a zero shows."""

    def __init__(self, metrics: Metrics, topics: Sequence[Topic]) -> None:
        self._batch_records = metrics.histogram("batch_records")
        self._batch_seconds = metrics.histogram("batch_duration_seconds")
        self._retries = metrics.counter("retries_total")
        self._dead_letters = metrics.counter("dlq_records_total")
        for topic in topics:
            self._dead_letters.labels(topic.name)

    def handled(self, batch: Batch, seconds: float) -> None:
        self._batch_records.observe(len(batch.records))
        self._batch_seconds.observe(seconds)

    def retried(self, error: Exception) -> None:
        self._retries.inc()

    def rejected(self, topic: str) -> None:
        self._dead_letters.labels(topic).inc()
