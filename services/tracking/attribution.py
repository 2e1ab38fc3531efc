"""Whose event it is: the ways by which a partner is found, in their order.

Pure: links and secrets are handed in. The first way that finds a partner wins and is written to
`data.attribution`; a way that has evidence but cannot use it (an expired click, an unknown code) lets the next one
try, and says why in the end when none found anybody. Coupons and the customer's protected lead will be further
entries of `WAYS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from contracts.events import EventData
from services.tracking.clicks import Click, verify
from services.tracking.links import Link

NAMED: Final = "named"
CLICK_AFTER_EVENT_MS_MAX: Final = 300_000
"""A click may be this much later than the event: clocks of two machines differ."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the ways may look at.

    Attributes:
        data, time_ms: The event's.
        click: What its click id says; None when there is none, or it is not ours.
        links: Those links that exist, by code.
        click_ms_max: How long a click counts.
    """

    data: EventData
    time_ms: int
    click: Click | None
    links: Mapping[str, Link]
    click_ms_max: int


@dataclass(frozen=True, slots=True)
class Attributed:
    partner: str
    by: str


@dataclass(frozen=True, slots=True)
class Unattributed:
    """Nobody was found, and why: kept with the event, claimable later."""

    reason: str


Finding = Attributed | Unattributed | None
"""None: this way has no evidence to look at."""


def attribute(evidence: Evidence) -> Attributed | Unattributed:
    """The partner by the first way that finds one."""
    reasons: list[str] = []
    for way in WAYS:
        finding = way(evidence)
        if isinstance(finding, Attributed):
            return finding
        if finding is not None:
            reasons.append(finding.reason)
    return Unattributed("; ".join(reasons) or "neither a partner nor a click id nor a referral code was sent")


def read_click(data: EventData, secrets: tuple[bytes, ...]) -> Click | None:
    """What the event's click id says, if it is one that we made."""
    return verify(secrets, data.click_id) if data.click_id else None


def link_codes(data: EventData, click: Click | None) -> tuple[str, ...]:
    """The links that the ways will ask for."""
    codes = (click.link if click else None, data.referral_code)
    return tuple(code for code in codes if code)


def _by_name(evidence: Evidence) -> Finding:
    """The sender named the partner; that it may was checked at the door (`keys.scope_fault`)."""
    return Attributed(evidence.data.partner, NAMED) if evidence.data.partner else None


def _by_click(evidence: Evidence) -> Finding:
    if not evidence.data.click_id:
        return None
    click = evidence.click
    if click is None:
        return Unattributed("the click id is not one of ours")
    age_ms = evidence.time_ms - click.time_ms
    if age_ms > evidence.click_ms_max:
        return Unattributed(f"the click is {age_ms // 86_400_000} days older than the event")
    if age_ms < -CLICK_AFTER_EVENT_MS_MAX:
        return Unattributed("the click is later than the event")
    return _by_link(evidence, click.link, "click")


def _by_code(evidence: Evidence) -> Finding:
    code = evidence.data.referral_code
    return _by_link(evidence, code, "code") if code else None


def _by_link(evidence: Evidence, code: str, by: str) -> Finding:
    link = evidence.links.get(code)
    if link is None:
        return Unattributed(f'there is no link "{code}"')
    if link.programme != evidence.data.programme:
        return Unattributed(f'the link "{code}" is of another programme')
    return Attributed(link.partner, by)


Way = Callable[[Evidence], Finding]
WAYS: Final[tuple[Way, ...]] = (_by_name, _by_click, _by_code)
