"""Exchange rates as people hand them over, and the programmes that they are for."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final

from contracts.errors import PermanentError, Problem
from contracts.events import RatesPublished

if TYPE_CHECKING:
    from goodword.target import Target

COLUMNS: Final = ("date", "pair", "rate")
ROWS_MAX: Final = 1_000_000


def rates_in_file(path: Path) -> list[RatesPublished]:
    """The rates of a CSV file with the columns date, pair and rate, by day.

    Raises:
        PermanentError(`bad-rates`): The first row that is no rate, with its line.
    """
    days: dict[str, dict[str, str]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise _bad(f"the column {missing[0]} is missing", f"{path}:1", "write date,pair,rate in the first line")
            for count, row in enumerate(reader):
                where = f"{path}:{reader.line_num}"
                if count >= ROWS_MAX:
                    raise _bad(f"more than {ROWS_MAX} rates", where, "split the file")
                _take(days, *((row[column] or "").strip() for column in COLUMNS), where=where)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _bad(f"the file cannot be read: {error}", str(path), "write it as CSV in UTF-8") from error
    if not days:
        raise _bad("the file has no rates", str(path), "write date,pair,rate in the first line, then one rate a line")
    return [RatesPublished(day, pairs) for day, pairs in sorted(days.items())]


def rates_of_options(rates: list[str], day: str) -> list[RatesPublished]:
    """`EUR/USD=1.0842`, each. Raises PermanentError(`bad-rates`)."""
    days: dict[str, dict[str, str]] = {}
    for text in rates:
        pair, _, rate = text.partition("=")
        _take(days, day, pair.strip(), rate.strip(), where=f"--rate {text}")
    return [RatesPublished(day, days[day])]


async def known_programmes(target: Target, wanted: list[str]) -> list[str]:
    """The programmes that have a revision, or those of them that are wanted.

    Raises:
        PermanentError(`unknown-programme`): A wanted one has no rule set, or there is none at all.
    """
    from services.rules.lifecycle import list_revisions

    known = sorted({revision.programme for revision in await list_revisions(target.postgres)})
    for name in wanted:
        if name not in known:
            message = f"there is no programme {name!r}" + (f"; there are {', '.join(known)}" if known else "")
            raise PermanentError(Problem(code="unknown-programme", message=message, where="--programme"))
    if not known:
        help = "publish a rule set first: goodword rules publish FILE"
        raise PermanentError(Problem(code="unknown-programme", message="there is no programme yet", help=help))
    return list(dict.fromkeys(wanted)) or known


def _take(days: dict[str, dict[str, str]], day: str, pair: str, rate: str, *, where: str) -> None:
    from services.rules.amounts.rates import read_rates

    try:
        read_rates(RatesPublished(day, {pair: rate}))
    except PermanentError as error:
        raise _bad(error.problem.message, where, error.problem.help or "") from None
    pairs = days.setdefault(day, {})
    if pairs.setdefault(pair, rate) != rate:
        raise _bad(f"{pair} of {day} is {pairs[pair]} and {rate}", where, "leave one of the two")


def _bad(message: str, where: str, help: str) -> PermanentError:
    return PermanentError(Problem(code="bad-rates", message=message, where=where, help=help))
