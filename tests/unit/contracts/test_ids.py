"""Ids: golden vectors (the encodings are frozen, docs/adr/0005-ledger-ids.md) and what senders may call things."""

from __future__ import annotations

import hashlib
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import decision_id, event_hash, is_id, transfer_id


def test_decision_ids_are_frozen() -> None:
    assert (
        decision_id(
            time_ms=1_488_326_400_000,
            programme="crm-sales",
            source="crm/acme",
            event_id="opp-1C1I7A6R-won",
            rule="commission",
            beneficiary="partner:moses-frase",
        )
        == "015a872a-9800-80cc-84cc-264e1ab6db63"
    )
    odd = decision_id(
        time_ms=0, programme="a", source="b", event_id='quote " and ü', rule="c", beneficiary="customer:x", occasion="2"
    )
    assert odd == "00000000-0000-8cb7-91c1-1db28c5fb140"
    assert transfer_id(odd, "granted") == "00000000-0000-8a8a-b878-f5b56bbfc13e"
    assert transfer_id(odd, "granted", 1) == "00000000-0000-8fad-934a-3b82acf66dcb"
    assert event_hash("crm/acme", "opp-1C1I7A6R-won") == 6930471986212126291


@given(st.integers(0, 2**48 - 1), st.lists(st.text(), min_size=6, max_size=6))
def test_a_derived_id_is_a_uuid_of_version_8_with_time_and_digest(time_ms: int, parts: list[str]) -> None:
    programme, source, event_id, rule, beneficiary, occasion = parts
    text = decision_id(
        time_ms=time_ms,
        programme=programme,
        source=source,
        event_id=event_id,
        rule=rule,
        beneficiary=beneficiary,
        occasion=occasion,
    )
    parsed = uuid.UUID(text)
    assert parsed.version == 8
    assert parsed.variant == uuid.RFC_4122
    assert parsed.int >> 80 == time_ms
    encoded = json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    if all(
        ord(c) >= 32 and c != "\x7f" for c in "".join(parts)
    ):  # JSON writers differ in how they escape control characters
        assert text.replace("-", "")[13:16] == hashlib.sha256(encoded).hexdigest()[:3]


def test_joined_parts_cannot_collide() -> None:
    ids = {
        decision_id(time_ms=0, programme="a", source="b c", event_id="d", rule="r", beneficiary="x"),
        decision_id(time_ms=0, programme="a b", source="c", event_id="d", rule="r", beneficiary="x"),
        decision_id(time_ms=0, programme="a", source="b", event_id="c d", rule="r", beneficiary="x"),
    }
    assert len(ids) == 3


@given(st.text(max_size=130))
def test_transfer_ids_keep_the_time_of_their_decision(stage: str) -> None:
    decision = decision_id(
        time_ms=1_488_326_400_123, programme="p", source="s", event_id="e", rule="r", beneficiary="b"
    )
    assert transfer_id(decision, stage)[:13] == decision[:13]


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("moses-frase", True),
        ("crm/acme", True),
        ("a.b_c~d@e+f", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("", False),
        ("a:b", False),
        ("a b", False),
        ("ä", False),
        ("a\n", False),
    ],
)
def test_an_id_has_no_colon_no_space_and_at_most_128_characters(text: str, allowed: bool) -> None:
    assert is_id(text) is allowed
