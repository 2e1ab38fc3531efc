"""Transfers with everything that a field can hold: for tests of what encodes or stores them."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from contracts.facts import TransferPosted
from contracts.ids import transfer_id, uuid_text

TIME_MS: Final = 1_767_225_600_000
_TIMES: Final = st.integers(0, 253_402_300_799_999)
_BIGINTS: Final = st.one_of(st.just(2**63 - 1), st.just(1), st.integers(1, 2**63 - 1))
# All that PostgreSQL can keep: every character but NUL and halves of pairs.
_TEXTS: Final = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=0, max_size=20
) | st.sampled_from(["", "\n", "\\x00", "ﬃ́", "\u202e", "🧾" * 9, "NULL", "{}", "'", '"', "%s", "\x7f", "\ufeff"])
_UUIDS: Final = (
    st.integers(0, 2**128 - 1)
    .map(lambda n: f"{n:032x}")
    .map(lambda h: f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}")
)


def plain(number: int = 1, **fields: object) -> TransferPosted:
    """A transfer of 100.00 USD with nothing special."""
    decision = uuid_text(TIME_MS, f"{number:064x}")
    known: dict[str, object] = {
        "id": transfer_id(decision, "granted", 0),
        "group": transfer_id(decision, "granted", 0),
        "stage": "granted",
        "decision": decision,
        "programme": "crm-sales",
        "rule": "commission",
        "partner": "ann",
        "debit": "programme:crm-sales:cost",
        "credit": "partner:ann:available",
        "amount_minor": 10_000,
        "unit": "USD",
        "event_source": "crm/acme",
        "event_id": f"opp-{number}-won",
        "time_ms": TIME_MS,
        "posted_at_ms": TIME_MS + 1,
    }
    return TransferPosted(**(known | fields))  # type: ignore[arg-type]  # fields are given by name, as tests want them


any_transfer: Final = st.builds(
    TransferPosted,
    id=_UUIDS,
    group=_UUIDS,
    stage=_TEXTS,
    decision=_UUIDS,
    programme=_TEXTS,
    rule=_TEXTS,
    partner=_TEXTS,
    debit=_TEXTS.map("d".__add__),
    credit=_TEXTS.map("c".__add__),
    amount_minor=_BIGINTS,
    unit=_TEXTS,
    event_source=_TEXTS,
    event_id=_TEXTS,
    time_ms=_TIMES,
    posted_at_ms=_TIMES,
    revision=st.integers(-(2**31), 2**31 - 1),
    customer=st.none() | _TEXTS,
    deal=st.none() | _TEXTS,
    lead=st.none() | _TEXTS,
    available_at_ms=st.none() | _TIMES,
    expires_at_ms=st.none() | _TIMES,
    takes_back=st.none() | _UUIDS,
    reason=st.none() | _TEXTS,
    booked_by=st.none() | _TEXTS,
    news_at_ms=st.none() | _TIMES,
)
