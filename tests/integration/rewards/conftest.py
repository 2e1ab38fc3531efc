"""A migrated ledger for one test, and connections to it as the service has them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from runtime.database import Database
from runtime.migrations import migrate
from services.rewards.store import SETUP, Ledger


@pytest.fixture
def ledger_url(postgres_url: str) -> str:
    """A fresh database with the schema `rewards`."""
    migrate(postgres_url, "rewards")
    return postgres_url


@pytest.fixture
async def database(ledger_url: str) -> AsyncIterator[Database]:
    """A pool of the service's connections, in the service's role."""
    made = Database(ledger_url, application="rewards", connections_max=4, setup=SETUP)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database)
