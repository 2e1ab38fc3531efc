"""What is to be replayed, as one value: it goes to every process, and its digest names the checkpoints.

Frozen for as long as a run lasts: the log grows meanwhile, but `parts` say where each partition ends for this run.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from services.rules.backtest.comparison import FORMAT
from services.rules.backtest.sides import Side
from services.rules.states.children import STATE_VERSION


class LogSource(msgspec.Struct, frozen=True, kw_only=True, tag="log"):
    """The log of referrals; `kafka` None means the one in PostgreSQL."""

    kafka: str | None
    postgres: str


class FileSource(msgspec.Struct, frozen=True, kw_only=True, tag="files"):
    """Event files, in the order in which they are read; `digests` are those of their bytes."""

    paths: tuple[str, ...]
    digests: tuple[str, ...]


class Part(msgspec.Struct, frozen=True):
    """A partition of the log with the offset where this run ends it, or one share of the partners in event files."""

    number: int
    end: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides what a run finds.

    Attributes:
        kind: What is kept of the decisions: `sums` for a back-test, `lines` for a restatement.
        first_day, last_day: Local days (since 1970) that count; None is without that end.
    """

    kind: Literal["sums", "lines"]
    programme: str
    timezone: str
    before: Side
    after: Side
    first_day: int | None
    last_day: int | None
    source: LogSource | FileSource
    parts: tuple[Part, ...] = ()

    @property
    def name(self) -> str:
        """Of the run: the same for whoever asks the same of the same source, however long the log has become."""
        asked = msgspec.structs.replace(self, parts=())
        known = msgspec.json.encode((STATE_VERSION, FORMAT, asked))
        return f"{self.programme.replace('/', '_')}-{hashlib.sha256(known).hexdigest()[:16]}"
