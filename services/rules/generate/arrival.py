"""What comes first of an event (docs/rules.md#order, step 1): whether it is news, by its id and by the fact it tells.

Leaves the local `deal` or `lead` of an event about one. `write_begun` is also for who decides something else.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final

from services.rules.clock.calendar import DAY_MS
from services.rules.deciding.decide import SourceJson, deny_event, encode_text, source_json
from services.rules.deciding.facts import ONCE, ONCE_EACH, keep, lead_of, remember, take_partner_facts
from services.rules.generate.case import MARK, write_case
from services.rules.generate.reads import Reads
from services.rules.generate.source import Source
from services.rules.states.children import EVENT_HASH_BYTES, DealState, LeadState, deal_key, holds, lead_key

LEAD_QUALIFIED: Final = "lead.qualified"


def write_arrival(reads: Reads) -> None:
    """A repeat ends here (docs/rules.md#repeats); a partner's snapshot is taken in."""
    source, event_type = reads.source, reads.event_type
    is_partner = event_type.startswith("partner.")
    write_begun(reads)
    source.add(f"hashed = {source.constant(sha256)}(begun).digest()[:{EVENT_HASH_BYTES}]")
    call = f"{source.constant(remember)}(state, time_ms, hashed, {is_partner})"
    if is_partner:
        source.add(f"news = {call}", "if news is False: return []")
    else:
        # As `remember` does it, for the day that most events are of.
        source.add("news = True; today = state.today")
        with source.block(f"if today.day == time_ms // {DAY_MS}:"):
            source.add(
                "if hashed in today.hashes: return []",
                "today.hashes[hashed] = None",
                MARK.format("today"),
            )
        with source.block("else:"):
            source.add(f"news = {call}", "if news is False: return []")
    if event_type.startswith("deal."):
        _write_kept(source, "deal", DealState, deal_key, "0, None, None")
        return
    kept = f"{source.constant(keep)}(state, event, hashed, news is None)"
    if event_type.startswith("lead."):
        with source.block("if data.deal is None:"):
            _write_kept(source, "lead", LeadState, lead_key, "0")
        with source.block("else:"):
            source.add(f"if not {kept}: return []", f"lead = {source.constant(lead_of)}(state, data.lead.id)")
    elif is_partner:
        source.add(f"if not {kept}: return []", f"{source.constant(take_partner_facts)}(state, event)")
    else:
        source.add(f"if (news is None or data.deal is not None or data.lead is not None) and not {kept}: return []")


def _write_kept(source: Source, what: str, kind: type, key_of: Callable[[bytes, str], bytes], new: str) -> None:
    """As `keep` does it for an event about a deal or a lead, without asking which; `new` is what is new of it."""
    make, key = source.constant(kind), source.constant(key_of)
    source.add(f"{what}s = state.{what}s; {what}_id = data.{what}.id", f"{what} = {what}s.get({what}_id)")
    with source.block(f"if {what} is None:"):
        source.add(
            f"{what} = {what}s[{what}_id] = {make}({key}(state.owner, {what}_id), {new}, hashed, True)",
            f"state.changed.append({what})",
        )
    with source.block("else:"):
        source.add(
            f"if news is None and {source.constant(holds)}({what}.ids, hashed): return []",
            f"{what}.ids += hashed",
            MARK.format(what),
        )


def write_begun(reads: Reads) -> None:
    """What the bytes begin with that the ids of the event's decisions are hashed from."""
    source = reads.source
    begin = f"{source.constant(source_json)}(data.programme, event.source)"
    if reads.revision:
        # Then the programme is known, and one look-up is enough.
        begin = f"{source.constant(SourceJson(reads.vocabulary.programme))}[event.source]"
    source.add(
        "data = event.data; time_ms = event.time_ms",
        f"begun = {begin} + {source.constant(encode_text)}(event.id)",
    )


def write_fact(reads: Reads) -> None:
    """A business fact happens once; a second one changes nothing, and is decided as such."""
    source, event_type = reads.source, reads.event_type
    if event_type in ONCE_EACH:
        source.add(f"reason = {source.constant(ONCE_EACH[event_type])}(deal, data)")
        with source.block("if reason:"):
            source.add(f"return [{source.constant(deny_event)}({write_case(reads)}, reason)]")
    elif event_type in ONCE:
        flag, again = ONCE[event_type]
        what = "lead" if event_type.startswith("lead.") else "deal"
        with source.block(f"if {what}.flags & {int(flag)}:"):
            source.add(f"return [{source.constant(deny_event)}({write_case(reads)}, {source.constant(again)})]")
        # A lead is marked as qualified where that is decided, not where it is only said.
        if event_type != LEAD_QUALIFIED:
            source.add(f"{what}.flags |= {int(flag)}")
        if what == "lead" and event_type != LEAD_QUALIFIED:
            source.add(MARK.format("lead"))
