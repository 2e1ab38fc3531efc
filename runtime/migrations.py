"""Migrations: Alembic, one folder per service, each with its own schema and version table.

A service migrates itself when it starts; an advisory lock lets only one process do it at a time. `env.py` of
each service is one call of `run_env`.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from importlib.resources import as_file, files
from typing import Final

import psycopg
import sqlalchemy
from alembic import command, context
from alembic.config import Config

LOCK_TIMEOUT: Final = "10s"
CONNECT_S_MAX: Final = 5
INTERRUPT_EVERY_S: Final = 0.2
INTERRUPT_S_MAX: Final = 5.0
"""A server that has not heard by then does not answer at all, and is left alone with what it does."""

Connected = Callable[[psycopg.Connection], None]


async def migrate_unless_stopped(postgres_url: str, service: str) -> None:
    """`migrate` beside the event loop; when this is cancelled, so is what the server is doing, and it is rolled back.

    Not in asyncio's own threads: a process does not end before those have, and waiting for another process that holds
    the lock may take for ever.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    connections: list[psycopg.Connection] = []

    def finish(error: BaseException | None) -> None:
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: BaseException | None = None
        try:
            migrate(postgres_url, service, on_connect=connections.append)
        except BaseException as raised:  # noqa: BLE001 - raised again where it is waited for
            error = raised
        with contextlib.suppress(RuntimeError):  # The loop has ended: nobody waits any more.
            loop.call_soon_threadsafe(finish, error)

    threading.Thread(target=run, name=f"migrate-{service}", daemon=True).start()
    try:
        await asyncio.shield(done)
    except asyncio.CancelledError:
        await _interrupt(done, connections)
        raise


async def _interrupt(done: asyncio.Future[None], connections: list[psycopg.Connection]) -> None:
    deadline = asyncio.get_running_loop().time() + INTERRUPT_S_MAX
    while not done.done() and asyncio.get_running_loop().time() < deadline:
        for connection in connections:
            # Between two statements there is nothing to cancel: the next one will be.
            with contextlib.suppress(psycopg.Error):
                await asyncio.to_thread(connection.cancel_safe, timeout=1.0)
        await asyncio.wait({done}, timeout=INTERRUPT_EVERY_S)
    if done.done():
        # That it was cancelled is no news to anybody.
        done.exception()


def migrate(
    postgres_url: str, service: str, *, revision: str = "head", on_connect: Connected = lambda connection: None
) -> None:
    """Bring the schema `service` up to the revision. Blocking; call it before the event loop, or in a thread.

    Raises sqlalchemy.exc.OperationalError while the server is away or still starting; call it again then.
    `on_connect` is given the connection, so that somebody else can cancel what is done with it.
    """

    def connect() -> psycopg.Connection:
        connection = psycopg.connect(postgres_url, connect_timeout=CONNECT_S_MAX)
        on_connect(connection)
        return connection

    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        # libpq reads the URL itself, so all it understands works here too: several hosts, `sslmode`, services.
        creator=connect,
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
