"""Back-tests of small worlds, straight through the pure core."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.events import Event
from services.rules.backtest.compare import Head, compare
from services.rules.backtest.comparison import Comparison
from services.rules.backtest.replay import Replay
from services.rules.backtest.report import Report, SideTold
from services.rules.backtest.sides import DRAFT_REVISION, Side
from services.rules.backtest.window import Window
from services.rules.language import digest_of, read_rule_set
from tests.support.rules import Store

HISTORY = Side(label="history")


def draft(text: str, **more: object) -> Side:
    return Side(label="draft", source_text=text, revision=DRAFT_REVISION, digest=digest_of(text), **more)  # type: ignore[arg-type] # fields by name


def backtest(
    events: Sequence[Event],
    text: str,
    before: Side = HISTORY,
    after: Side | None = None,
    *,
    window: Window | None = None,
    batch: int = 50,
) -> Report:
    """The report of one partition's history; `text` is the draft's, and that of `after` unless it is named."""
    rules = read_rule_set(text, path="draft.yaml")
    kept = Comparison(window or Window(rules.timezone))
    replay = Replay(0, before, after or draft(text), kept, cache_bytes=2**28)
    stores = Store(), Store()
    for start in range(0, len(events), batch):
        chunk = events[start : start + batch]
        missing = replay.missing_keys(chunk)
        while any(missing):
            missing = replay.load(
                [{key: store.values.get(key) for key in keys} for store, keys in zip(stores, missing, strict=True)]
            )
        replay.feed(chunk)
        for store, dirty in zip(stores, replay.take_dirty(), strict=True):
            store.values |= {key: value for key, value in dirty.items() if value is not None}
    head = Head(
        programme=rules.programme,
        currency=rules.currency,
        timezone=rules.timezone,
        before=SideTold(label="before"),
        after=SideTold(label="after"),
        units={unit.id: unit.decimals for unit in rules.units},
    )
    return compare(head, kept, events=len(events), skipped=0)
