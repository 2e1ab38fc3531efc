"""The servers of the rules service for one test: the log in PostgreSQL, states in Valkey, the schema migrated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from contracts.topics import TOPICS
from runtime.bus.open import open_bus
from runtime.bus.port import Bus
from runtime.migrations import migrate
from services.rules.lifecycle import Desk, publish_rule_set
from services.rules.store import StateStore
from tests.integration.rules.at_the_desk import StepClock
from tests.integration.rules.harness import RULES, FixedClock, RulesProcess, Start
from tests.support.second_engine import IS_MISSING

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
def desk(schema_url: str, bus: Bus, store: StateStore) -> Desk:
    """Where steps are taken; a minute passes between two looks at its clock."""
    return Desk(postgres=schema_url, bus=bus, store=store, clock=StepClock())


@pytest.fixture
async def schema_url(postgres_url: str) -> str:
    """The database with the schema `rules`."""
    await asyncio.to_thread(migrate, postgres_url, "rules")
    return postgres_url


@pytest.fixture
def start(schema_url: str, valkey_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start a rules process on this test's servers."""
    started: list[RulesProcess] = []

    def start_one(**settings: str) -> RulesProcess:
        log_file = tmp_path / f"rules-{len(started)}.log"
        process = RulesProcess(postgres=schema_url, redis=valkey_url, log_file=log_file, **settings)
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()


@pytest.fixture
async def published(schema_url: str, bus: Bus, store: StateStore) -> None:
    desk = Desk(postgres=schema_url, bus=bus, store=store, clock=FixedClock())
    await publish_rule_set(desk, RULES, "crm.yaml", who="test", without_second_opinion=IS_MISSING)
