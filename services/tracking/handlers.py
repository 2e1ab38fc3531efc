"""What happens to one request's events, from bytes to the log.

Check, seal, claim, look up, attribute, publish, remember, in that order and visible in `FrontDoor.take`. Promises:

- It returns only after the log (and PostgreSQL, for what nobody could be named for) has every event it counts as
  accepted; on an outage it raises TransientError and the sender may send all of it again.
- The same source and id counts as accepted once; again with the same body as duplicate, with another as conflict.
- A partner's `partner.registered` is in its partition before the first event that names it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from contracts.errors import TransientError
from contracts.topics import CLICKS, PARTNERS, REFERRALS
from runtime.bus.port import Bus
from runtime.clock import Clock
from services.tracking.attribution import Attributed, Evidence, attribute, link_codes, read_click
from services.tracking.clicks import Click
from services.tracking.dedupe import SeenIds
from services.tracking.envelope import Shape
from services.tracking.faults import Checked, Fault, Rejection, reject
from services.tracking.keys import Grant, scope_fault
from services.tracking.partners import PARTNER_EVENT, PartnerName
from services.tracking.plan import CLICK_RECORDED, Plan, append, introduce, unplaced
from services.tracking.records import Sealed, Stamp, encode_changed, seal, stamp
from services.tracking.settings import DAY_S, TrackingSettings
from services.tracking.store import TrackingStore
from services.tracking.validate import check_body

CONFLICT = "conflict"


class NotOpen(TransientError):
    """The servers behind the door are not connected yet, or not any more."""


@dataclass(slots=True)
class Outcome:
    """The answer to one request. `types` counts (type, outcome) for the metrics; `rejections` are in input order."""

    accepted: int = 0
    duplicates: int = 0
    unattributed: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    types: dict[tuple[str, str], int] = field(default_factory=dict)


class FrontDoor:
    """Takes events. One per process; holds no connection of its own."""

    def __init__(
        self, settings: TrackingSettings, *, clock: Clock, bus: Bus, store: TrackingStore, seen: SeenIds
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._bus = bus
        self._store = store
        self._seen = seen
        self._click_ms_max = settings.tracking_click_days_max * DAY_S * 1000
        self._announced: OrderedDict[PartnerName, None] = OrderedDict()
        self.click_secrets: tuple[bytes, ...] = ()
        """The newest first; empty until the door is open."""

    def open(self, click_secrets: tuple[bytes, ...]) -> None:
        """Everything behind the door is there; before that, nothing is taken."""
        self.click_secrets = click_secrets

    def close(self) -> None:
        self.click_secrets = ()

    async def take(self, body: bytes, shape: Shape, grant: Grant, traceparent: str) -> Outcome:
        """Take what can be taken of a body.

        Raises:
            Malformed, TooMany: The body as a whole cannot be taken.
            TransientError: Redis, PostgreSQL or the log is away; nothing is promised, all may be sent again.
        """
        if not self.click_secrets:
            raise NotOpen("the service is starting or stopping")
        settings = self._settings
        now_ms = self._clock.now_ms()
        checked = check_body(
            body,
            shape,
            now_ms=now_ms,
            future_ms_max=settings.tracking_future_s_max * 1000,
            events_max=settings.tracking_events_max,
        )
        outcome = Outcome(rejections=checked.rejections)
        sealed = _sealed_in_scope(checked, grant)
        identities = list(dict.fromkeys(event.identity for event in sealed))
        if identities:
            async with self._seen.claim(identities):
                known = dict(zip(identities, await self._seen.look_up(identities), strict=True))
                new = _new_of(sealed, known, outcome)
                if new:
                    await self._make_durable(new, stamp(now_ms, traceparent), outcome)
                    await self._remember(new)
        for type in checked.rejected_types:
            _count(outcome, type, "rejected")
        outcome.rejections.sort(key=lambda rejection: rejection.index)
        return outcome

    async def _make_durable(self, new: list[Sealed], stamp: Stamp, outcome: Outcome) -> None:
        """Attribute the events and store each where it belongs; returns when all are durable."""
        plan = Plan()
        placed = await self._attribute(new, stamp, plan)
        await self._place(placed, stamp, plan)
        if plan.unplaced:
            await self._store.keep_unattributed(plan.unplaced)
        if plan.referrals:
            await self._bus.publish(REFERRALS.name, plan.referrals)
        if plan.clicks:
            await self._bus.publish(CLICKS.name, plan.clicks)
        if plan.snapshots:
            await self._bus.publish(PARTNERS.name, plan.snapshots)
        if plan.announced:
            await self._store.set_announced(tuple(plan.announced))
        self._remember_announced(plan.met)
        outcome.accepted += len(new)
        outcome.unattributed += len(plan.unplaced)
        for sealed in new:
            _count(outcome, sealed.candidate.envelope.type, "accepted")

    async def _attribute(self, new: list[Sealed], stamp: Stamp, plan: Plan) -> list[Sealed]:
        """Those of the events that go to the log, each with its partner; the others go into `plan.unplaced`."""
        if all(sealed.candidate.envelope.data.partner is not None for sealed in new):
            return new
        clicks: dict[int, Click | None] = {}
        codes: dict[str, None] = {}
        for sealed in new:
            data = sealed.candidate.envelope.data
            if data.partner is None:
                click = clicks[sealed.candidate.index] = read_click(data, self.click_secrets)
                codes |= dict.fromkeys(link_codes(data, click))
        links = await self._store.links(codes) if codes else {}
        placed: list[Sealed] = []
        for sealed in new:
            candidate = sealed.candidate
            data = candidate.envelope.data
            if data.partner is None:
                evidence = Evidence(data, candidate.time_ms, clicks[candidate.index], links, self._click_ms_max)
                finding = attribute(evidence)
                if isinstance(finding, Attributed):
                    data.partner, data.attribution = finding.partner, finding.by
                    sealed.value = encode_changed(data)
                elif candidate.envelope.type != CLICK_RECORDED:
                    plan.unplaced.append(unplaced(sealed, finding.reason, stamp))
                    continue
            placed.append(sealed)
        return placed

    async def _place(self, placed: list[Sealed], stamp: Stamp, plan: Plan) -> None:
        """Records of the events, each partner's registration before its first event."""
        first_times: dict[PartnerName, int] = {}
        for sealed in placed:
            data = sealed.candidate.envelope.data
            if data.partner is None:
                continue
            name = (data.programme, data.partner)
            if (
                name not in self._announced or sealed.candidate.envelope.type.startswith(PARTNER_EVENT)
            ) and name not in first_times:
                first_times[name] = sealed.candidate.time_ms
        if not first_times:
            for sealed in placed:
                append(plan, sealed, stamp)
            return
        plan.met.extend(first_times)
        async with self._store.partners(first_times) as partners:
            for sealed in placed:
                introduce(plan, sealed, partners, stamp)
                append(plan, sealed, stamp)

    def _remember_announced(self, names: Iterable[PartnerName]) -> None:
        self._announced.update(dict.fromkeys(names))
        while len(self._announced) > self._settings.tracking_partners_cached_max:
            self._announced.popitem(last=False)

    async def _remember(self, new: list[Sealed]) -> None:
        """The ids count as seen from here on.

        When this fails the request fails, though its events are durable: the sender sends them again at once, and rules
        knows so fresh a repeat. An answer of 202 would leave ids that nobody remembers, to be published again
        whenever they come, perhaps after the 90 days for which rules can tell.
        """
        await self._seen.remember([sealed.identity for sealed in new], [sealed.digest for sealed in new])


def _sealed_in_scope(checked: Checked, grant: Grant) -> list[Sealed]:
    sealed: list[Sealed] = []
    for candidate in checked.candidates:
        envelope = candidate.envelope
        fault = None if grant.is_operator and grant.fits_source(envelope.source) else scope_fault(grant, envelope)
        if fault is None:
            sealed.append(seal(candidate))
        else:
            reject(checked, candidate.index, envelope.id, envelope.type, fault)
    return sealed


def _new_of(sealed: list[Sealed], known: dict[bytes, bytes | None], outcome: Outcome) -> list[Sealed]:
    """The events that are new, one of each id; the others are counted as duplicates or conflicts.

    Args:
        sealed: In the order in which they were sent.
        known: The digest remembered for each of their ids; None for a new one. Changed: new ones are added.
        outcome: Where repeats are counted.
    """
    new: list[Sealed] = []
    for event in sealed:
        digest = known[event.identity]
        if digest is None:
            known[event.identity] = event.digest
            new.append(event)
        else:
            _count_repeat(event, digest, outcome)
    return new


def _count_repeat(sealed: Sealed, digest: bytes, outcome: Outcome) -> None:
    envelope = sealed.candidate.envelope
    if sealed.digest == digest:
        outcome.duplicates += 1
        _count(outcome, envelope.type, "duplicate")
        return
    fault = Fault(CONFLICT, "id", "this source and id were used before, with another body")
    outcome.rejections.append(Rejection(sealed.candidate.index, envelope.id, fault.field, fault.reason, fault.code))
    _count(outcome, envelope.type, CONFLICT)


def _count(outcome: Outcome, type: str, what: str) -> None:
    outcome.types[type, what] = outcome.types.get((type, what), 0) + 1
