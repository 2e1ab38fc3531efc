"""Alembic's entry for the schema `rules`."""

from runtime.migrations import run_env

run_env()
