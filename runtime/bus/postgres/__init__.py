"""The bus on PostgreSQL: a durable log for one machine, in the schema `bus` of the given database."""

from runtime.bus.postgres.log import PostgresBus

__all__ = ["PostgresBus"]
