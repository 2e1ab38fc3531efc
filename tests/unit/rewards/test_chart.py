"""The chart of accounts, as a table: an address, and the segment that is wrong with it."""

from __future__ import annotations

import pytest

from contracts.errors import PermanentError
from services.rewards import chart

IN_THE_CHART = """
programme:crm-sales:cost
programme:crm-sales:budget:yearly
programme:crm-sales:budget:yearly:2026-Q1
programme:crm-sales:allotted:yearly:2026
programme:crm-sales:spent:yearly
programme:crm-sales:written-off
partner:moses-frase:pending
partner:moses-frase:available
partner:moses-frase:paid
partner:a/b@c.d+e~f_g-h:available
member:m1:available
customer:cancity:available
""".split()

OUTSIDE = [
    ("", 1, "missing"),
    ("affiliate:ann:available", 1, '"affiliate"'),
    ("Partner:ann:available", 1, '"Partner"'),
    ("partner", 2, "missing"),
    ("partner::available", 2, "missing"),
    ("partner:an n:available", 2, '"an n"'),
    ("partner:änn:available", 2, '"änn"'),
    ("partner:" + "x" * 129 + ":available", 2, '"' + "x" * 129 + '"'),
    ("partner:ann", 3, "missing"),
    ("partner:ann:cost", 3, '"cost"'),
    ("partner:ann:Available", 3, '"Available"'),
    ("programme:crm:available", 3, '"available"'),
    ("partner:ann:available:", 4, "missing"),
    ("partner:ann:b:available", 3, '"b"'),
    ("partner:ann:available:usd", 4, '"usd"'),
    ("programme:crm:cost:x", 4, '"x"'),
    ("programme:crm:budget", 4, "missing"),
    ("programme:crm:budget:a b", 4, '"a b"'),
    ("programme:crm:spent:yearly:", 5, "missing"),
    ("partner:ann:budget:x", 3, '"budget"'),
    ("programme:crm:budget:yearly:2026:x", 6, '"x"'),
]


@pytest.mark.parametrize("address", IN_THE_CHART)
def test_an_address_of_the_chart_is_itself(address: str) -> None:
    assert chart.checked(address) == address


@pytest.mark.parametrize(("address", "place", "segment"), OUTSIDE)
def test_an_address_outside_is_refused_and_the_bad_segment_named(address: str, place: int, segment: str) -> None:
    with pytest.raises(PermanentError) as refused:
        chart.checked(address)
    assert refused.value.problem.code == "account-outside-chart"
    assert refused.value.problem.message.endswith(f"segment {place} is {segment}")
    assert refused.value.problem.help


def test_accounts_of_a_posting() -> None:
    assert chart.cost_account("crm-sales") == "programme:crm-sales:cost"
    assert chart.available_account("customer:cancity") == "customer:cancity:available"
    with pytest.raises(PermanentError):
        chart.available_account("cancity")
