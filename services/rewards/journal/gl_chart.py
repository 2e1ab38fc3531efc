"""Which account of a general ledger an account of ours is: the first pattern that fits. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from contracts.errors import PermanentError, Problem
from contracts.money import is_unit
from services.rewards import chart

ANY: Final = "*"
REST: Final = "**"
FAULTS_SHOWN_MAX: Final = 20


class GlAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a mapping.

    Attributes:
        account: A pattern of our addresses: `*` is one segment, `**` at the end all that follow, at least one.
        gl: The number of the account over there, as text.
        name: What to call it.
        unit: Only this unit; empty for all.
    """

    account: str
    gl: str
    name: str = ""
    unit: str = ""

    def fits(self, segments: list[str], unit: str) -> bool:
        pattern = self.account.split(":")
        if self.unit not in {"", unit}:
            return False
        if pattern[-1] == REST:
            pattern = pattern[:-1]
            if len(segments) <= len(pattern):
                return False
            segments = segments[: len(pattern)]
        return len(pattern) == len(segments) and all(
            want in {ANY, segment} for want, segment in zip(pattern, segments, strict=True)
        )


class GlChart:
    """A mapping; without lines, an account is itself over there."""

    def __init__(self, lines: Iterable[GlAccount] = ()) -> None:
        self._lines = tuple(lines)
        self._found: dict[tuple[str, str], GlAccount | None] = {}

    def find(self, account: str, unit: str) -> GlAccount | None:
        """The line of an account, or None when none fits."""
        if not self._lines:
            return GlAccount(account=account, gl=account)
        key = (account, unit)
        if key not in self._found:
            segments = account.split(":")
            self._found[key] = next((line for line in self._lines if line.fits(segments, unit)), None)
        return self._found[key]

    def check(self, accounts: Iterable[tuple[str, str]]) -> None:
        """Raises PermanentError (`account-not-mapped`) that names accounts and units without a line."""
        missing = sorted({f"{account} ({unit})" for account, unit in accounts if self.find(account, unit) is None})
        if missing:
            more = f", and {len(missing) - FAULTS_SHOWN_MAX} more" if len(missing) > FAULTS_SHOWN_MAX else ""
            raise PermanentError(
                Problem(
                    code="account-not-mapped",
                    message=f"{len(missing)} accounts have no line in the mapping: "
                    + ", ".join(missing[:FAULTS_SHOWN_MAX])
                    + more,
                    help="add a line for each, or one with `*` for a segment and `**` for all that follow",
                )
            )


def line_faults(lines: list[GlAccount]) -> list[str]:
    """What is wrong with the lines of a mapping, in their order."""
    faults = []
    for number, line in enumerate(lines, 1):
        if not line.gl.strip():
            faults.append(f"line {number}: gl is empty")
        if line.unit and not is_unit(line.unit):
            faults.append(f"line {number}: {line.unit!r} is no unit")
        help = _pattern_fault(line.account.split(":"))
        if help is not None:
            faults.append(f"line {number}: {line.account!r} fits no account: {help}")
    return faults


def _pattern_fault(segments: list[str]) -> str | None:
    """Why a pattern can fit nothing; any kind of account stands behind an open third segment."""
    if REST in segments[:-1]:
        return f"{REST} stands at the end only"
    kinds = ("programme", *chart.BENEFICIARIES)
    if len(segments) >= 3 and segments[2] in {ANY, REST}:
        return None if segments[0] in kinds else f"an account begins with {', '.join(kinds)}"
    problem = chart.fault(":".join("x" if segment in {ANY, REST} else segment for segment in segments))
    return None if problem is None else problem.help
