"""The fold: from the events of one partition, in order, to decisions and states, with the states in memory.

Pure: it never reads or writes anything itself. The shell asks which states a batch needs (`missing_keys`), hands them
over (`load`), folds (`fold`), publishes the decisions, and writes what changed (`take_dirty`), in this order, for
one batch at a time. Whatever goes wrong in between, `discard` forgets everything, so that the next batch starts from
what is stored. The same events in the same order give the same decisions and the same bytes, however they
are cut into batches and whenever the process was restarted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from contracts.decisions import Decision
from contracts.errors import InvariantBroken, PermanentError, Problem
from contracts.events import BROADCAST_TYPES, Event
from services.rules import state as states
from services.rules.calendar import DAY_MS
from services.rules.evaluate import evaluate
from services.rules.revisions import Revisions
from services.rules.state import PartnerState, ProgrammeState

CACHE_BYTES: Final = 256 * 1024 * 1024
_BYTES_PER_STORED_BYTE: Final = 6
"""What a decoded state takes in memory, per byte stored; measured, on the safe side."""
_BYTES_PER_STATE: Final = 400
_BYTES_PER_SEEN: Final = 100
_ACTIVATED: Final = "ruleset.activated"
_BROADCASTS: Final = frozenset(BROADCAST_TYPES)


class FoldResult(msgspec.Struct, gc=False):
    """What a batch came to.

    Attributes:
        decisions: In the order of the events, and of the rules within an event.
        traceparents: Of the event of each decision, at the same index.
        rejected: Events that cannot be judged, by their index in the batch; they changed nothing and belong into the
            dead-letter queue.
    """

    decisions: list[Decision]
    traceparents: list[str]
    rejected: list[tuple[int, Problem]]


class _Held:
    """One partner in memory; `size` is estimated bytes, children included."""

    __slots__ = ("key", "size", "state")

    def __init__(self, key: bytes, state: PartnerState, size: int) -> None:
        self.key = key
        self.state = state
        self.size = size


class Fold:
    """The fold of one partition.

    Keys are relative: the shell puts the partition's hash tag in front of them.

    Args:
        partition: Its number, for messages.
        cache_bytes: How much decoded state may stay in memory between batches, estimated.
    """

    def __init__(self, partition: int, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.partition = partition
        self._cache_bytes_max = cache_bytes
        self._cached_bytes = 0
        self._held: dict[tuple[str, str], _Held] = {}
        self._revisions: dict[str, Revisions] = {}
        self._touched: dict[tuple[str, str], _Held] = {}
        self._decided: set[str] = set()
        self._activated: set[str] = set()

    @property
    def cached_bytes(self) -> int:
        """Estimated bytes of decoded states in memory."""
        return self._cached_bytes

    def missing_keys(self, events: Sequence[Event]) -> list[bytes]:
        """Keys of the states that folding these events needs and that are not in memory, each once."""
        missing: dict[bytes, None] = {}
        needs_customers = self._needs_customers(events)
        for event in events:
            data = event.data
            programme, partner = data.programme, data.partner
            if programme not in self._revisions:
                missing[states.programme_key(programme)] = None
                missing[states.decided_key(programme)] = None
            if partner is None or event.type in _BROADCASTS:
                continue
            held = self._held.get((programme, partner))
            state = None if held is None else held.state
            if state is None:
                missing[states.partner_key(programme, partner)] = None
            utc_day = event.time_ms // DAY_MS
            if state is None or utc_day not in state.seen:
                missing[states.seen_key(programme, partner, utc_day)] = None
            if data.deal is not None and (state is None or data.deal.id not in state.deals):
                missing[states.deal_key(programme, partner, data.deal.id)] = None
            if data.lead is not None and (state is None or data.lead.id not in state.leads):
                missing[states.lead_key(programme, partner, data.lead.id)] = None
            if (
                data.customer is not None
                and programme in needs_customers
                and (state is None or data.customer.id not in state.customers)
            ):
                missing[states.customer_key(programme, partner, data.customer.id)] = None
        return list(missing)

    def _needs_customers(self, events: Sequence[Event]) -> set[str]:
        """Programmes that may keep metrics per customer; one whose revisions are not known yet may."""
        activated = {event.data.programme for event in events if event.type == _ACTIVATED}
        programmes = {event.data.programme for event in events}
        return {
            programme
            for programme in programmes
            if programme in activated
            or (revisions := self._revisions.get(programme)) is None
            or revisions.needs_customers()
        }

    def load(self, values: Mapping[bytes, bytes | None]) -> None:
        """Take in what the store has under the missing keys; None where it has nothing.

        Raises:
            StateUnreadable: A state of another version.
            InvariantBroken: A revision in force cannot be read by this version any more.
        """
        for key, value in values.items():
            if value is not None and key[:2] == b"s:":
                programme, partner = key[2:].decode().split(":")
                self._hold((programme, partner), states.decode_partner(programme, partner, value))
        for key, value in values.items():
            kind = key[:2]
            if kind == b"r:":
                programme = key[2:].decode()
                self._load_revisions(programme, value, values.get(states.decided_key(programme)))
            elif value is not None and kind not in {b"s:", b"n:"}:
                self._load_child(kind, key, value)

    def fold(self, events: Sequence[Event]) -> FoldResult:
        """Decide the events in order. Every key that `missing_keys` named for them must have been loaded."""
        decisions: list[Decision] = []
        traceparents: list[str] = []
        rejected: list[tuple[int, Problem]] = []
        for index, event in enumerate(events):
            try:
                made = self.fold_one(event)
            except PermanentError as error:
                rejected.append((index, error.problem))
                continue
            if made:
                decisions += made
                traceparents += [event.traceparent] * len(made)
        return FoldResult(decisions, traceparents, rejected)

    def fold_one(self, event: Event) -> list[Decision]:
        """Decide one event; `fold` does this for each. Raises PermanentError for one that cannot be judged."""
        data = event.data
        programme = data.programme
        revisions = self._revisions[programme]
        if event.type in _BROADCASTS:
            if event.type == _ACTIVATED:
                assert data.ruleset is not None
                if revisions.activate(data.ruleset):
                    self._activated.add(programme)
            return []
        partner = data.partner
        if partner is None:
            raise PermanentError(
                Problem(code="missing-field", message=f"{event.type} needs partner", where="data.partner")
            )
        identity = (programme, partner)
        held = self._touched.get(identity)
        if held is None:
            held = self._touch(identity)
        state = held.state
        time_ms = event.time_ms
        revision = revisions.at(time_ms)
        _, made = evaluate(state, event, revision)
        newest_ms = revisions.newest_decided_ms
        if revision is not None and (newest_ms is None or time_ms > newest_ms):
            revisions.newest_decided_ms = time_ms
            self._decided.add(programme)
        return made

    def _load_revisions(self, programme: str, stored: bytes | None, decided: bytes | None) -> None:
        state = ProgrammeState() if stored is None else states.decode_programme(stored)
        newest_ms = None if decided is None else states.decode_decided(decided)
        try:
            self._revisions[programme] = Revisions(programme, state, newest_ms)
        except PermanentError as error:
            raise InvariantBroken(f"a revision in force cannot be read any more: {error}") from error

    def _load_child(self, kind: bytes, key: bytes, value: bytes) -> None:
        """Take in one deal, lead, customer or day of seen events of a partner who is in memory."""
        programme, partner, name = key[2:].decode().split(":")
        held = self._held.get((programme, partner))
        if held is None:
            raise InvariantBroken(f"the store has {key!r}, but not the partner it belongs to")
        state = held.state
        if kind == b"e:":
            state.seen[int(name)] = states.decode_seen(value)
        elif kind == b"d:":
            state.deals[name] = states.decode_deal(value)
        elif kind == b"l:":
            state.leads[name] = states.decode_lead(value)
        else:
            state.customers[name] = states.decode_customer(value)

    def _hold(self, identity: tuple[str, str], state: PartnerState) -> _Held:
        held = self._held[identity] = _Held(states.partner_key(*identity), state, 0)
        return held

    def _touch(self, identity: tuple[str, str]) -> _Held:
        """The partner, in memory from now on and the most recently used."""
        held = self._held.pop(identity, None)
        if held is None:
            held = self._hold(identity, PartnerState(programme=identity[0], partner=identity[1]))
        self._held[identity] = held
        self._touched[identity] = held
        return held

    def take_dirty(self) -> dict[bytes, bytes | None]:
        """What the folds since the last call changed, sorted by key; None deletes. Evicts afterwards."""
        dirty: dict[bytes, bytes | None] = {}
        for programme in self._activated:
            dirty[states.programme_key(programme)] = states.encode_programme(self._revisions[programme].state)
        for programme in self._decided:
            newest = self._revisions[programme].newest_decided_ms
            assert newest is not None
            dirty[states.decided_key(programme)] = states.encode_decided(newest)
        for held in self._touched.values():
            self._take_partner(held, dirty)
        self._activated.clear()
        self._decided.clear()
        self._touched.clear()
        self._evict()
        return dict(sorted(dirty.items()))

    def _take_partner(self, held: _Held, dirty: dict[bytes, bytes | None]) -> None:
        state = held.state
        programme, partner = state.programme, state.partner
        encoded = dirty[held.key] = states.encode_partner(state)
        for deal in state.changed_deals:
            dirty[states.deal_key(programme, partner, deal)] = states.encode_deal(state.deals[deal])
        for lead in state.changed_leads:
            dirty[states.lead_key(programme, partner, lead)] = states.encode_lead(state.leads[lead])
        for customer in state.changed_customers:
            dirty[states.customer_key(programme, partner, customer)] = states.encode_customer(state.customers[customer])
        for utc_day in state.changed_days:
            dirty[states.seen_key(programme, partner, utc_day)] = states.encode_seen(state.seen[utc_day])
        for utc_day in state.dropped_days:
            dirty[states.seen_key(programme, partner, utc_day)] = None
        for changed in (state.changed_deals, state.changed_leads, state.changed_customers):
            changed.clear()
        state.changed_days.clear()
        state.dropped_days.clear()
        self._cached_bytes -= held.size
        children = len(state.deals) + len(state.leads) + len(state.customers) + len(state.seen)
        seen = sum(map(len, state.seen.values()))
        held.size = len(encoded) * _BYTES_PER_STORED_BYTE + (children + 2) * _BYTES_PER_STATE + seen * _BYTES_PER_SEEN
        self._cached_bytes += held.size

    def _evict(self) -> None:
        """Drop the least recently used partners until the rest fits; nothing unwritten is left at this point."""
        while self._cached_bytes > self._cache_bytes_max and self._held:
            held = self._held.pop(next(iter(self._held)))
            self._cached_bytes -= held.size

    def discard(self) -> None:
        """Forget everything: what was folded and not written, and the cache."""
        self._held.clear()
        self._touched.clear()
        self._revisions.clear()
        self._decided.clear()
        self._activated.clear()
        self._cached_bytes = 0
