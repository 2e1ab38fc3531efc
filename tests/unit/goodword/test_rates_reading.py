"""Rates as people hand them over: a file or options, with the line of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import PermanentError
from contracts.events import RatesPublished
from goodword.commands.rates.reading import rates_in_file, rates_of_options


def test_a_file_is_read_by_day(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(
        "\ufeffpair,date,rate,source\n"
        "EUR/USD,2026-03-02,1.0842,ecb\n"
        "USD/JPY,2026-03-01, 150 ,\n"
        "EUR/USD,2026-03-01,1.08,\n",
        encoding="utf-8",
    )
    assert rates_in_file(file) == [
        RatesPublished("2026-03-01", {"USD/JPY": "150", "EUR/USD": "1.08"}),
        RatesPublished("2026-03-02", {"EUR/USD": "1.0842"}),
    ]


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("", ":1", "the column date is missing"),
        ("date,pair\n", ":1", "the column rate is missing"),
        ("date,pair,rate\n", "", "the file has no rates"),
        ("date,pair,rate\n2026-03-01,EUR/USD,1\n2026-03-01,EUR/XXX,1\n", ":3", "'XXX' in 'EUR/XXX'"),
        ("date,pair,rate\n2026-02-30,EUR/USD,1\n", ":2", "'2026-02-30' is not a day"),
        ("date,pair,rate\n20260301,EUR/USD,1\n", ":2", "'20260301' is not a day"),
        ("date,pair,rate\n2026-03-01,EUR/USD,1,08\n2026-03-01,EUR/USD,1.08\n", ":3", "EUR/USD of 2026-03-01 is 1 and"),
        ("date,pair,rate\n2026-03-01,EUR/USD\n", ":2", "'' is not a rate of EUR/USD"),
    ],
)
def test_a_file_with_a_mistake_is_refused_with_its_line(tmp_path: Path, text: str, where: str, message: str) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(text)
    with pytest.raises(PermanentError) as refused:
        rates_in_file(file)
    problem = refused.value.problem
    assert (problem.code, problem.where) == ("bad-rates", f"{file}{where}")
    assert message in problem.message


def test_options_are_read() -> None:
    assert rates_of_options(["EUR/USD=1.0842", "USD/JPY = 150"], "2026-03-01") == [
        RatesPublished("2026-03-01", {"EUR/USD": "1.0842", "USD/JPY": "150"})
    ]
    with pytest.raises(PermanentError, match="EUR/USD"):
        rates_of_options(["EUR/USD"], "2026-03-01")
