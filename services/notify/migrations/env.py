"""Alembic's entry for the schema `notify`."""

from runtime.migrations import run_env

run_env()
