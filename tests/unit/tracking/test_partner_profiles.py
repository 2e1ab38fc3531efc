"""How `partner.*` events change a profile."""

from __future__ import annotations

import pytest

from contracts.events import PartnerProfile
from services.tracking.partners import Partner, merged, registration_record

BEFORE = PartnerProfile(name="Moses", email="m@example.com", status="active")


@pytest.mark.parametrize(
    ("type", "sent", "wanted"),
    [
        ("partner.updated", PartnerProfile(email="n@example.com"), {"email": "n@example.com", "name": "Moses"}),
        ("partner.updated", None, {"email": "m@example.com", "status": "active"}),
        ("partner.suspended", None, {"status": "suspended", "name": "Moses"}),
        ("partner.suspended", PartnerProfile(status="active"), {"status": "suspended"}),
        ("partner.approved", None, {"status": "active"}),
        ("partner.agreement_signed", None, {"agreement_signed": True, "status": "active"}),
        ("partner.registered", PartnerProfile(status="applied", language="pt-BR"), {"status": "applied"}),
        ("partner.step_completed", None, {"status": "active"}),
    ],
)
def test_what_was_sent_replaces_field_by_field(
    type: str, sent: PartnerProfile | None, wanted: dict[str, object]
) -> None:
    after = merged(BEFORE, type, sent)
    assert {name: getattr(after, name) for name in wanted} == wanted


def test_a_registration_announced_again_has_the_same_body() -> None:
    def record(status: str, recorded_at_ms: int) -> tuple[bytes, bytes]:
        partner = Partner(
            programme="crm",
            partner="moses",
            profile=PartnerProfile(status=status),
            joined_at_ms=1_500_000_000_000,
            is_announced=False,
        )
        made = registration_record(partner, recorded_at_ms=recorded_at_ms, traceparent="")
        return made.value, dict(made.headers)["ce_id"]

    assert record("active", 1) == record("suspended", 2)
    assert record("active", 1)[1] == b"partner-crm/moses"
