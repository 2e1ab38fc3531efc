"""What a second opinion comes to: for people, for programs, and for the gate before a revision enters into force."""

from __future__ import annotations

from typing import Any, Final

import msgspec

DISAGREEMENTS_MAX: Final = 100
"""Disagreements that are told; all are counted."""


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """One thing about one event that the two engines see differently.

    Attributes:
        test: Of the file, when the event is of one; empty for events of the history.
        what: A question (`when:commission`, `eligible.partner`), a reward (`reward:commission`), `lead`, or `tier`.
        first, second: What the engine that decides found, and the other one: `met`, `not met`, `unknown`, `granted`, …
        saw: The facts that it is about, by path.
    """

    test: str = ""
    partner: str
    event_type: str
    event_source: str
    event_id: str
    what: str
    first: str
    second: str
    saw: dict[str, str] = {}

    def __str__(self) -> str:
        where = f"test {self.test!r}" if self.test else f"{self.event_source} {self.event_id}"
        return f"{where}, {self.event_type} of {self.partner}: {self.what} is {self.first}, but {self.second}"


class Opinion(msgspec.Struct, kw_only=True):
    """Whether the second engine decides as the first one.

    Attributes:
        missing: Why there is no opinion at all; empty when there is one.
        tests, events: How many tests of the file and events of the history were compared.
        verdicts: How many answers of the second engine.
        disagreements: The first of them; `disagreements_count` all.
        not_asked: Questions that cannot be put to the second engine, with the reason.
    """

    engine: str = "durable-rules"
    missing: str = ""
    tests: int = 0
    events: int = 0
    verdicts: int = 0
    disagreements: list[Disagreement] = []
    disagreements_count: int = 0
    not_asked: dict[str, str] = {}

    @property
    def agrees(self) -> bool:
        """Whether there is an opinion, and it is the same."""
        return not self.missing and not self.disagreements_count

    def add(self, disagreement: Disagreement) -> None:
        self.disagreements_count += 1
        if len(self.disagreements) < DISAGREEMENTS_MAX:
            self.disagreements.append(disagreement)

    def as_json(self) -> dict[str, Any]:
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built | {"agrees": self.agrees}
