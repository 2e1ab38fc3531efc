"""The bus: one port, two adapters (PostgreSQL log, Kafka), one contract suite (tests/contract/)."""
