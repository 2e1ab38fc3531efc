"""One difference in meaning."""

from __future__ import annotations

from typing import Literal

import msgspec

from services.rules.comparing.reach import Reach


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What was added, removed or changed, and whom it can touch.

    Attributes:
        section: As in the file: `rewards`.
        id: Of the part, `commission`; empty in sections that are one part.
        field: What of the part; None for all of it.
        old, new: Written out; None where there was, or is, no such part.
    """

    section: str
    id: str
    field: str | None
    old: str | None
    new: str | None
    touches: Reach

    @property
    def kind(self) -> Literal["added", "removed", "changed"]:
        return "added" if self.old is None else "removed" if self.new is None else "changed"

    @property
    def sentence(self) -> str:
        """`commission, give for tier gold: 10 % of deal.amount → 12 % of deal.amount`."""
        what = ", ".join(each for each in (self.id, self.field) if each)
        if self.kind == "added":
            return f"{what}: new: {self.new}"
        if self.kind == "removed":
            return f"{what}: gone; it was: {self.old}"
        return f"{what}: {self.old} → {self.new}"
