"""Migrations: Alembic, one folder per service, each with its own schema and version table.

A service migrates itself when it starts; an advisory lock lets only one process do it at a time. `env.py` of
each service is one call of `run_env`.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Final

import psycopg
import sqlalchemy
from alembic import command, context
from alembic.config import Config

LOCK_TIMEOUT: Final = "10s"
CONNECT_S_MAX: Final = 5


def migrate(postgres_url: str, service: str, *, revision: str = "head") -> None:
    """Bring the schema `service` up to the revision. Blocking; call it before the event loop, or in a thread.

    Raises sqlalchemy.exc.OperationalError while the server is away or still starting; call it again then.
    """
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        # libpq reads the URL itself, so all it understands works here too: several hosts, `sslmode`, services.
        creator=lambda: psycopg.connect(postgres_url, connect_timeout=CONNECT_S_MAX),
        poolclass=sqlalchemy.pool.NullPool,
    )
    with as_file(files(f"services.{service}") / "migrations") as folder, engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(folder))
        connection.execute(
            sqlalchemy.text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), {"name": f"migrate/{service}"}
        )
        connection.execute(sqlalchemy.text(f"CREATE SCHEMA IF NOT EXISTS {service}"))
        connection.execute(sqlalchemy.text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.commit()
        config.attributes["connection"] = connection
        config.attributes["schema"] = service
        command.upgrade(config, revision)
        connection.commit()
        connection.execute(sqlalchemy.text("SELECT pg_advisory_unlock_all()"))
        connection.commit()


def run_env() -> None:
    """The whole of a service's `migrations/env.py`."""
    connection = context.config.attributes["connection"]
    schema = context.config.attributes["schema"]
    context.configure(
        connection=connection,
        version_table="alembic_version",
        version_table_schema=schema,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
