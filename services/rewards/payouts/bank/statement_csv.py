"""Statements as CSV, in any bank's own columns: a mapping in YAML names them (examples/bank-statement.yaml)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from contracts.csv_cells import text_of_cell
from contracts.errors import PermanentError, Problem
from services.rewards.payouts.bank.entry import Answer, Entry, malformed, minor_of, payout_named

FILE_BYTES_MAX: Final = 1024 * 1024


class Columns(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Names of columns in the header.

    Attributes:
        payment: Where the end-to-end id stands, alone or among other words.
        amount: Below zero what went out, above zero what came back, unless `answers` says.
        currency: Empty where the file has none; then `currency` of the mapping says.
    """

    payment: str
    amount: str
    day: str
    currency: str = ""
    reference: str = ""
    reason: str = ""
    status: str = ""


class BankMapping(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How to read one bank's CSV. `skip` are lines before the header; `answers` are texts of the column `status`."""

    columns: Columns
    delimiter: str = ","
    encoding: str = "utf-8-sig"
    decimal: str = "."
    thousands: str = ""
    day_format: str = "%Y-%m-%d"
    currency: str = ""
    skip: str = "0"
    answers: dict[str, Answer] = {}


def read_mapping(path: Path) -> BankMapping:
    """Raises PermanentError (`bad-mapping`)."""
    try:
        content = path.read_bytes()
        if len(content) > FILE_BYTES_MAX:
            raise _bad(path, f"a mapping has at most {FILE_BYTES_MAX // 1024} KiB")
        parsed: Any = yaml.load(content, Loader=yaml.BaseLoader)  # noqa: S506 # safer than the safe one: text only
        found = msgspec.convert(parsed, BankMapping)
    except OSError as error:
        raise _bad(path, f"the mapping cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(path, f"not YAML: {getattr(error, 'problem', None) or error}") from error
    except msgspec.ValidationError as error:
        raise _bad(path, f"not a mapping of a bank's columns: {error}") from error
    if len(found.delimiter) != 1 or len(found.decimal) != 1 or not found.skip.isascii() or not found.skip.isdigit():
        raise _bad(path, "delimiter and decimal are one character each, skip is a number of lines")
    if not found.columns.currency and not found.currency:
        raise _bad(path, "name the column of the currency, or the currency of the whole file")
    if found.columns.status and not found.answers:
        raise _bad(path, "say in answers which texts of the status mean paid, returned and pending")
    return found


def read_csv(path: Path, mapping: BankMapping) -> Iterator[Entry]:
    """The payments of a file, in its order.

    Raises:
        PermanentError: `bank-file-malformed`, with the line.
    """
    try:
        with path.open(encoding=mapping.encoding, newline="") as file:
            for _ in range(int(mapping.skip)):
                file.readline()
            rows = csv.DictReader(file, delimiter=mapping.delimiter, strict=True)
            named = {name for name in msgspec.structs.astuple(mapping.columns) if name}
            missing = sorted(named - set(rows.fieldnames or ()))
            if missing:
                raise malformed(f"has no columns {', '.join(missing)}", str(path))
            for row in rows:
                yield _entry(row, mapping, f"{path.name}, line {rows.line_num + int(mapping.skip)}")
    except OSError as error:
        raise malformed(f"cannot be read: {error.strerror}", str(path)) from error
    except (csv.Error, UnicodeDecodeError, LookupError) as error:
        raise malformed(f"not CSV as the mapping says: {error}", str(path)) from error


def _entry(row: dict[str, Any], mapping: BankMapping, where: str) -> Entry:
    columns = mapping.columns

    def cell(name: str) -> str:
        return text_of_cell((row.get(name) or "").strip()) if name else ""

    currency = cell(columns.currency) or mapping.currency
    number = cell(columns.amount).replace(mapping.thousands, "") if mapping.thousands else cell(columns.amount)
    minor = minor_of(number.replace(mapping.decimal, "."), currency, where)
    answer: Answer = "paid" if minor < 0 else "returned"
    if columns.status:
        status = cell(columns.status)
        if status not in mapping.answers:
            raise malformed(f"the mapping does not say what the status {status!r} means", where)
        answer = mapping.answers[status]
    try:
        day = datetime.strptime(cell(columns.day), mapping.day_format).date().isoformat()  # noqa: DTZ007 # a day
    except ValueError as error:
        raise malformed(f"{cell(columns.day)!r} is no day like {mapping.day_format}", where) from error
    return Entry(
        payout=payout_named(cell(columns.payment)),
        answer=answer,
        amount_minor=abs(minor),
        currency=currency,
        day=day,
        reference=cell(columns.reference),
        reason=cell(columns.reason) if answer == "returned" else "",
        where=where,
    )


def _bad(path: Path, message: str) -> PermanentError:
    help = "examples/bank-statement.yaml shows one"
    return PermanentError(Problem(code="bad-mapping", message=message, where=str(path), help=help))
