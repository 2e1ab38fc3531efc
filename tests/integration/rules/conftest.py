"""The servers of the rules service for one test: the log in PostgreSQL, states in Valkey, the schema migrated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from contracts.topics import TOPICS
from runtime.bus.open import open_bus
from runtime.bus.port import Bus
from runtime.migrations import migrate
from services.rules.store import StateStore

PARTITIONS = 4


@pytest.fixture
async def bus(postgres_url: str) -> AsyncIterator[Bus]:
    """A started bus with all topics, in a fresh database."""
    made = open_bus(kafka=None, postgres=postgres_url, client="test")
    await made.start()
    await made.ensure_topics(TOPICS, PARTITIONS)
    yield made
    await made.close()


@pytest.fixture
async def store(valkey_url: str) -> AsyncIterator[StateStore]:
    """A started store in an empty Valkey."""
    made = StateStore(valkey_url)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def schema_url(postgres_url: str) -> str:
    """The database with the schema `rules`."""
    await asyncio.to_thread(migrate, postgres_url, "rules")
    return postgres_url
