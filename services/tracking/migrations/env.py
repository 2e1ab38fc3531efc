"""Alembic's entry for the schema `tracking`."""

from runtime.migrations import run_env

run_env()
