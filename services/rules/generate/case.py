"""What all decisions of one event share, as locals of the names in `decide.CASE`: read when the first one is made.

Most events lead to no decision, and then nothing of this is read.
"""

from __future__ import annotations

from typing import Final

from contracts.money import PPM
from services.rules.deciding.decide import ALL, CASE, STAMP_MS_MAX
from services.rules.generate.reads import Reads
from services.rules.generate.source import Source

_SECTIONS: Final = {
    "customer": {"customer": "id", "customer_name": "name"},
    "lead": {"lead_id": "id"},
    "deal": {"deal_id": "id", "product": "product"},
}


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
            f"h = f'{{time_ms if 0 <= time_ms <= {STAMP_MS_MAX} else min(max(time_ms, 0), {STAMP_MS_MAX}):012x}}'",
            "stamp = f'{h[:8]}-{h[8:]}-8'; programme = data.programme",
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


def write_case(reads: Reads) -> str:
    """Write what reads the fields; returns the expression that hands them all on."""
    write_fields(reads)
    return f"({CASE})"
