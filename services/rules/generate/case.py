"""What all decisions of one event share, as locals of the names in `decide.CASE`: read when the first one is made.

Most events lead to no decision, and then nothing of this is read.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from contracts.decisions import Decision
from contracts.money import PPM
from services.rules.deciding.decide import ALL, CASE, STAMP_MS_MAX, VARIANTS, rule_json
from services.rules.generate.reads import Reads
from services.rules.generate.source import Source

_SECTIONS: Final = {
    "customer": {"customer": "id", "customer_name": "name"},
    "lead": {"lead_id": "id"},
    "deal": {"deal_id": "id", "product": "product"},
}


MARK: Final = "if not {0}.is_changed: {0}.is_changed = True; state.changed.append({0})"
"""Lets a child of the state be written, as `facts.mark` does it."""
_FIELDS: Final = "fields"
"""What they are known by, once they are there."""


def take_case(source: Source) -> None:
    """Write what takes the fields over from the local `case`, in a function of its own for one reward."""
    source.once(_FIELDS, "_", lambda _: source.add(f"{CASE} = case"))


def write_fields(reads: Reads) -> None:
    """Write what reads the fields, unless it was done."""
    source = reads.source

    def write(_: str) -> None:
        source.add(
            # Up to the UUID's version; what does not fit into its 48 bits is clipped as in `contracts.ids`.
            f"ms = time_ms if 0 <= time_ms <= {STAMP_MS_MAX} else min(max(time_ms, 0), {STAMP_MS_MAX})",
            # A format specification would take four times as long.
            "stamp = ms.to_bytes(6, 'big').hex('-', -4) + '-8'; programme = data.programme",
            "partner = state.partner; beneficiary = state.beneficiary; as_json = state.beneficiary_json",
            f"event_type = {source.constant(reads.event_type)}; event_source = event.source; event_id = event.id",
            f"revision = {int(reads.revision)}; share = data.share_ppm",
            f"if share == {PPM}: share = {source.constant(ALL)}",
            "customer = customer_name = lead_id = deal_id = product = None",
        )
        for section, fields in _SECTIONS.items():
            part = reads.section(section)
            values = "; ".join(f"{local} = {part}.{field}" for local, field in fields.items())
            source.add(f"if {part} is not None: {values}")

    source.once(_FIELDS, "_", write)


def write_decision(
    reads: Reads,
    rule: str,
    *,
    who: str = "beneficiary",
    who_json: str = "as_json",
    given: str = "None, None, None, None, None",
    clamped: str = "0",
    trace: str = "trace",
    decimals: str = "",
) -> str:
    """Write what hashes the decision's id; returns the expression of the decision.

    Reads the local `reason` besides the fields. `given` is the amount, its unit, the base, its unit, the percentage;
    all of these are expressions, but for the rule.
    """
    source = reads.source
    json, variants, digest = source.constant(rule_json(rule)), source.constant(VARIANTS), source.constant(sha256)
    source.add(f"h = {digest}(begun + {json} + {who_json}).hexdigest()")
    return (
        f"{source.constant(Decision)}(f'{{stamp}}{{h[:3]}}-{{{variants}[h[3]]}}{{h[4:7]}}-{{h[7:19]}}', "
        f"not reason, programme, revision, {source.constant(rule)}, partner, {who}, event_type, "
        f"event_source, event_id, time_ms, {given}, share, tier, None, {clamped}, None, "
        f"reason, customer, customer_name, lead_id, deal_id, product, {trace}{decimals})"
    )


def write_case(reads: Reads) -> str:
    """Write what reads the fields; returns the expression that hands them all on."""
    write_fields(reads)
    return f"({CASE})"
