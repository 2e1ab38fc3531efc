"""Alembic's entry for the schema `rewards`."""

from runtime.migrations import run_env

run_env()
