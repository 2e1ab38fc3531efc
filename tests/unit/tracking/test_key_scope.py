"""What a key may do."""

from __future__ import annotations

import msgspec
import pytest

from contracts.errors import PermanentError
from contracts.events import EventData
from services.tracking.envelope import Envelope
from services.tracking.keys import (
    OPERATOR,
    Grant,
    check_scope,
    scope_fault,
)

CRM = Grant("k", ("crm/acme", "web/*"), may_name_partner=True, types=frozenset({"deal.won", "lead.registered"}))
WEB = Grant("k", ("*",), may_name_partner=False)


@pytest.mark.parametrize(
    ("grant", "source", "type", "partner", "code"),
    [
        (CRM, "crm/acme", "deal.won", "p", None),
        (CRM, "crm/acme2", "deal.won", "p", "source-outside-scope"),
        (CRM, "web/shop", "deal.won", None, None),
        (CRM, "webshop", "deal.won", None, "source-outside-scope"),
        (CRM, "crm/acme", "deal.lost", "p", "type-outside-scope"),
        (WEB, "anything", "deal.lost", None, None),
        (WEB, "anything", "deal.lost", "p", "may-not-name-partner"),
        (WEB, "goodword/rules", "deal.lost", None, "source-outside-scope"),
        (OPERATOR, "goodword/demo", "deal.lost", "p", None),
        (OPERATOR, "goodword/tracking", "deal.lost", "p", "source-outside-scope"),
    ],
)
def test_scope(grant: Grant, source: str, type: str, partner: str | None, code: str | None) -> None:
    data = msgspec.convert({"programme": "p"} | ({"partner": partner} if partner else {}), EventData)
    envelope = Envelope("1.0", type, source, "i", "2017-03-01T00:00:00Z", data)
    for _ in range(2):  # the second answer comes from what the grant remembers
        fault = scope_fault(grant, envelope)
        assert (fault.code if fault else None) == code


@pytest.mark.parametrize(
    ("sources", "types"), [((), None), (("a:b",), None), (("",), None), (("a*b",), None), (("a",), ("deal.one",))]
)
def test_a_scope_that_cannot_work_is_refused(sources: tuple[str, ...], types: tuple[str, ...] | None) -> None:
    with pytest.raises(PermanentError):
        check_scope(sources, types)
