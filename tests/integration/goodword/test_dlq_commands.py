"""`goodword dlq`: what could not be handled is shown with its reason, and goes back to the end of its topic."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts.errors import Problem
from contracts.topics import RATES, REFERRALS, TOPICS
from goodword.cli import app
from runtime.bus.dead_letters import DeadLetters
from runtime.bus.open import open_bus
from runtime.bus.port import Bus, Received, Record

PARTITION = 2
BAD_JSON, TOO_LATE = Problem(code="bad-json", message="not JSON"), Problem(code="too-late-to-tell", message="too old")


def at_the_bus(url: str, work: Callable[[Bus], Awaitable[Any]]) -> Any:
    async def do() -> Any:
        bus = open_bus(kafka=None, postgres=url, client="test")
        await bus.start()
        try:
            return await work(bus)
        finally:
            await bus.close()

    return asyncio.run(do())


async def read_all(bus: Bus) -> Sequence[Received]:
    end = (await bus.end_offsets(REFERRALS.name))[PARTITION]
    reading = bus.read(REFERRALS.name, PARTITION, start=0, end=end, batch_records_max=100)
    return [record async for records in reading for record in records]


@pytest.fixture
def run(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Five records of one partition, of which three are dead letters; one was put aside twice."""

    async def put_aside(bus: Bus) -> None:
        await bus.ensure_topics(TOPICS, 4)
        events = [Record(b"k", b"%d" % n, (("ce_id", b"e%d" % n),), PARTITION) for n in range(5)]
        await bus.publish(REFERRALS.name, events)
        letters, records = DeadLetters(bus), await read_all(bus)
        for offset, problem in ((1, BAD_JSON), (3, TOO_LATE), (4, BAD_JSON), (1, BAD_JSON)):
            await letters.reject(REFERRALS.name, PARTITION, records[offset], problem)

    at_the_bus(postgres_url, put_aside)
    monkeypatch.setenv("GOODWORD_POSTGRES", postgres_url)
    monkeypatch.delenv("GOODWORD_DATA", raising=False)

    def run(*words: str, exit_code: int = 0) -> Any:
        result = CliRunner().invoke(app, ["dlq", *words])
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout) if "--json" in words else result.output

    return run


def test_letters_are_listed_with_where_they_stood_and_why(run: Callable[..., Any]) -> None:
    listed = run("list", "--json")
    assert [(each["offset"], each["was_at"], each["code"]) for each in listed] == [
        (0, "1", "bad-json"), (1, "3", "too-late-to-tell"), (2, "4", "bad-json"), (3, "1", "bad-json"),
    ]  # fmt: skip
    assert run("show", REFERRALS.name, "1", "--json")["value"] == "3"


@pytest.mark.parametrize(
    ("words", "back", "repeats"),
    [
        (["--all"], ["1", "3", "4"], 1),
        (["--all", "--code", "bad-json"], ["1", "4"], 1),
        (["1"], ["3"], 0),
        (["3", "2"], ["4", "1"], 0),
        (["--all", "--dry-run"], [], 1),
    ],
)
def test_each_record_goes_back_once_as_it_was(
    run: Callable[..., Any], postgres_url: str, words: list[str], back: list[str], repeats: int
) -> None:
    told = run("replay", REFERRALS.name, *words, "--json")
    assert told["repeats"] == repeats
    added = at_the_bus(postgres_url, read_all)[5:]
    assert [(one.key, one.value.decode(), one.headers) for one in added] == [
        (b"k", value, (("ce_id", f"e{value}".encode()),)) for value in back
    ]
    assert told["replayed"] == len(back) or told["dry_run"]


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        ([REFERRALS.name], 2, "say which letters"),
        ([REFERRALS.name, "0", "--all"], 2, "say which letters"),
        (["goodword.referals", "0"], 2, "there is no topic goodword.referals"),
        ([REFERRALS.name, "0", "9"], 1, "no letter at 9; nothing was sent"),
        ([REFERRALS.name, "1", "--code", "bad-json"], 1, "no letter with the code bad-json at 1"),
        ([RATES.name, "--all"], 1, "only the newest record of a key counts"),
    ],
)
def test_a_choice_that_makes_no_sense_sends_nothing(
    run: Callable[..., Any], postgres_url: str, words: list[str], exit_code: int, said: str
) -> None:
    assert said in run("replay", *words, exit_code=exit_code)
    assert len(at_the_bus(postgres_url, read_all)) == 5
