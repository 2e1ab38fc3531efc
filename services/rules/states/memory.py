"""The states of one partition in memory: which a batch needs, what it changed, and what may be forgotten.

Pure: the shell reads and writes (`services.rules.fold` says in which order). Partners who were not touched for long go
first when the memory is full, and only when nothing of them is left to be written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Final

from contracts.errors import InvariantBroken, PermanentError, Problem
from contracts.events import BROADCAST_TYPES, Event
from services.rules.amounts.rates import Rates
from services.rules.clock.alarms import DUE_MAX, Alarms, alarms_keys
from services.rules.clock.calendar import DAY_MS
from services.rules.deciding.facts import add_day
from services.rules.revisions.in_force import Revisions
from services.rules.states import children
from services.rules.states import state as states
from services.rules.states.children import Child, CustomerState, DealState, LeadState, SeenDay
from services.rules.states.state import PartnerState, ProgrammeState

CACHE_BYTES: Final = 256 * 1024 * 1024
_BYTES_PER_STORED_BYTE: Final = 6
"""What a decoded state takes in memory, per byte stored; measured, on the safe side."""
_BYTES_PER_STATE: Final = 400
_BYTES_PER_SEEN: Final = 100
ACTIVATED: Final = "ruleset.activated"
DAY_CLOSED: Final = "clock.day_closed"
BROADCASTS: Final = frozenset(BROADCAST_TYPES)


class Memory:
    """What the fold of one partition keeps between batches.

    Keys are relative: the shell puts the partition's hash tag in front of them.

    Args:
        partition: Its number, for messages.
        cache_bytes: How much decoded state may stay in memory between batches, estimated.
        revisions: What says which revision decides; a back-test puts another one in place (`backtest.sides`).
    """

    def __init__(
        self,
        partition: int,
        *,
        cache_bytes: int = CACHE_BYTES,
        revisions: Callable[[str, ProgrammeState, int | None], Revisions] = Revisions,
    ) -> None:
        self.partition = partition
        self._revisions_of = revisions
        self._cache_bytes_max = cache_bytes
        self._cached_bytes = 0
        self._held: dict[tuple[str, str], PartnerState] = {}
        self._revisions: dict[str, Revisions] = {}
        self._touched: dict[str, dict[str | None, PartnerState]] = {}
        self._changed: list[Child] = []
        self._decided: set[str] = set()
        self._activated: set[str] = set()
        self._rates: dict[str, Rates] = {}
        self._rated: set[str] = set()
        # Only of programmes that tell silences; `_closings` are the days that the batch in hand closes.
        self._alarms: dict[str, Alarms] = {}
        self._closings: list[tuple[str, int, int]] = []

    @property
    def cached_bytes(self) -> int:
        """Estimated bytes of decoded states in memory."""
        return self._cached_bytes

    def missing_keys(self, events: Sequence[Event]) -> list[bytes]:
        """Keys of the states that folding these events needs and that are not in memory, each once.

        `load` may find that more are needed.
        """
        missing: dict[bytes, None] = {}
        broadcasts = [event for event in events if event.type in BROADCASTS]
        self._closings = [
            # A day later than UTC's is the latest that any zone could mean.
            (event.data.programme, event.time_ms // DAY_MS + 1, len(events))
            for event in broadcasts
            if event.type == DAY_CLOSED
        ]
        activated = {event.data.programme for event in broadcasts if event.type == ACTIVATED}
        programme, has_customers = None, False
        for event in events:
            data = event.data
            partner = data.partner
            if data.programme != programme:
                programme = data.programme
                revisions = self._revisions.get(programme)
                if revisions is None:
                    missing[states.programme_key(programme)] = None
                    missing[states.decided_key(programme)] = None
                    missing[states.rates_key(programme)] = None
                # Revisions that are not known yet may keep metrics per customer.
                has_customers = revisions is None or programme in activated or revisions.needs_customers()
            if partner is None or event.type in BROADCASTS:
                continue
            utc_day = event.time_ms // DAY_MS
            state = self._held.get((programme, partner))
            if state is None:
                missing[states.partner_key(programme, partner)] = None
                # Nothing of the partner is in memory, then.
                state = PartnerState(programme=programme, partner=partner)
            if utc_day != state.today.day and utc_day not in state.seen:
                missing[children.seen_key(state.owner, utc_day)] = None
            deal, lead, customer = data.deal, data.lead, data.customer
            if deal is not None and deal.id not in state.deals:
                missing[children.deal_key(state.owner, deal.id)] = None
            if lead is not None and lead.id not in state.leads:
                missing[children.lead_key(state.owner, lead.id)] = None
            if has_customers and customer is not None and customer.id not in state.customers:
                missing[children.customer_key(state.owner, customer.id)] = None
        if self._closings:
            missing |= dict.fromkeys(self._due_keys())
        return list(missing)

    def load(self, values: Mapping[bytes, bytes | None]) -> list[bytes]:
        """Take in what the store has under the missing keys; None where it has nothing.

        Returns the keys that are needed besides, as only shows now: load them as well, until there are none.

        Raises:
            StateUnreadable: A state of another version.
            InvariantBroken: A revision in force cannot be read by this version any more.
        """
        found: list[tuple[bytes, bytes]] = []
        more: list[bytes] = []
        for key, value in values.items():
            kind = key[:2]
            if kind == b"r:":
                programme = key[2:].decode()
                self._load_revisions(programme, value, values.get(states.decided_key(programme)))
                if self._revisions[programme].tells_silences and programme not in self._alarms:
                    more += alarms_keys(programme)
            elif kind == b"a:":
                programme, segment = key[2:].decode().split(":")
                self._alarms.setdefault(programme, Alarms()).load(int(segment), value)
            elif value is None:
                continue
            elif kind == b"x:":
                self._rates_of(key[2:].decode()).load(value)
            elif kind == b"s:":
                programme, partner = key[2:].decode().split(":")
                self._hold((programme, partner), states.decode_partner(programme, partner, value))
            elif kind != b"n:":
                found.append((key, value))
        for key, value in found:
            self._load_child(key, value)
        if self._closings and not more:
            more = [key for key in self._due_keys() if key not in values]
        return more

    def partner(self, programme: str, partner: str) -> PartnerState | None:
        """The partner's state, if it is in memory; for explanations, which only look at it."""
        return self._held.get((programme, partner))

    def partner_or_new(self, event: Event) -> PartnerState:
        """The state that the event would be decided on; a new one is not held."""
        programme, partner = event.data.programme, event.data.partner
        assert partner is not None, "an event with a partner"
        new = PartnerState(programme=programme, partner=partner, rates=self._rates_of(programme))
        return self.partner(programme, partner) or new

    def revisions(self, programme: str) -> Revisions:
        """What entered; the programme's key must have been loaded."""
        return self._revisions[programme]

    def take_dirty(self) -> dict[bytes, bytes | None]:
        """What the folds since the last call changed, sorted by key; None deletes. Evicts afterwards."""
        dirty: dict[bytes, bytes | None] = {}
        for programme in self._activated:
            dirty[states.programme_key(programme)] = states.encode_programme(self._revisions[programme].state)
        for programme in self._decided:
            revisions = self._revisions[programme]
            dirty[states.decided_key(programme)] = states.encode_decided(
                revisions.newest_decided_ms, revisions.closed_ms
            )
        for programme in self._rated:
            dirty[states.rates_key(programme)] = self._rates[programme].encode()
        for programme, alarms in self._alarms.items():
            self._note_alarms(programme, alarms)
            dirty.update(alarms.take_changed(programme))
        for child in self._changed:
            child.is_changed = False
            dirty[child.key] = child.encode()
        for state in chain.from_iterable(touched.values() for touched in self._touched.values()):
            encoded = dirty[state.key] = states.encode_partner(state)
            self._cached_bytes -= state.size
            kept = len(state.deals) + len(state.leads) + len(state.customers) + len(state.seen)
            state.size = len(encoded) * _BYTES_PER_STORED_BYTE + (kept + 2) * _BYTES_PER_STATE
            state.size += (state.seen_count + len(state.today.hashes)) * _BYTES_PER_SEEN
            self._cached_bytes += state.size
        self._activated.clear()
        self._decided.clear()
        self._rated.clear()
        self._touched.clear()
        self._changed.clear()
        self._evict()
        return dict(sorted(dirty.items()))

    def discard(self) -> None:
        """Forget everything: what was folded and not written, and the cache."""
        self._held.clear()
        self._touched.clear()
        self._changed.clear()
        self._revisions.clear()
        self._decided.clear()
        self._activated.clear()
        self._rates.clear()
        self._rated.clear()
        self._cached_bytes = 0
        self._alarms.clear()
        self._closings.clear()

    def _due_keys(self) -> list[bytes]:
        """Keys of the partners who are looked at when the days of this batch close, as far as is known."""
        missing: dict[bytes, None] = {}
        for number, (programme, day, events) in enumerate(self._closings, 1):
            alarms = self._alarms.get(programme)
            for partner in alarms.due(day, DUE_MAX * number + events) if alarms is not None else ():
                if (programme, partner) not in self._held:
                    missing[states.partner_key(programme, partner)] = None
        return list(missing)

    def _rates_of(self, programme: str) -> Rates:
        """One object for as long as the programme is in memory: every state of its partners holds it."""
        rates = self._rates.get(programme)
        if rates is None:
            rates = self._rates[programme] = Rates()
        return rates

    def _note_alarms(self, programme: str, alarms: Alarms) -> None:
        for state in self._touched.get(programme, {}).values():
            alarms.put(state.partner, state.alarm_day)

    def _load_revisions(self, programme: str, stored: bytes | None, decided: bytes | None) -> None:
        state = ProgrammeState() if stored is None else states.decode_programme(stored)
        newest_ms, closed_ms = (None, None) if decided is None else states.decode_marks(decided)
        try:
            revisions = self._revisions[programme] = self._revisions_of(programme, state, newest_ms)
            revisions.closed_ms = closed_ms
        except PermanentError as error:
            raise InvariantBroken(f"a revision in force cannot be read any more: {error}") from error

    def _load_child(self, key: bytes, value: bytes) -> None:
        """Take in one deal, lead, customer or day of seen events of a partner who is in memory."""
        programme, partner, name = key[2:].decode().split(":")
        state = self._held.get((programme, partner))
        if state is None:
            raise InvariantBroken(f"the store has {key!r}, but not the partner it belongs to")
        match children.decode_child(key, value):
            case SeenDay() as seen:
                add_day(state, seen)
            case DealState() as deal:
                state.deals[name] = deal
            case LeadState() as lead:
                state.leads[name] = lead
            case CustomerState() as customer:
                state.customers[name] = customer

    def _hold(self, identity: tuple[str, str], state: PartnerState) -> PartnerState:
        state.changed = self._changed
        state.rates = self._rates_of(identity[0])
        self._held[identity] = state
        return state

    def _touch(self, event: Event) -> PartnerState:
        """The event's partner, in memory from now on and the most recently used."""
        programme, partner = event.data.programme, event.data.partner
        if partner is None:
            problem = Problem(code="missing-field", message=f"{event.type} needs partner", where="data.partner")
            raise PermanentError(problem)
        identity = programme, partner
        state = self._held.pop(identity, None)
        if state is None:
            state = self._hold(identity, PartnerState(programme=programme, partner=partner))
        else:
            self._held[identity] = state
        self._touched[programme][partner] = state
        return state

    def _evict(self) -> None:
        """Drop the least recently used partners until the rest fits; nothing unwritten is left at this point."""
        while self._cached_bytes > self._cache_bytes_max and self._held:
            self._cached_bytes -= self._held.pop(next(iter(self._held))).size
