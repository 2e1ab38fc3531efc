"""Reads transfers as they are hashed, from PostgreSQL's own binary encoder, each by its id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, LiteralString

from services.rewards.chain.encoding import ROW_FIELDS
from services.rewards.elements import NULL
from services.rewards.reads.connect import Connection

SETTINGS: Final = (
    # Texts leave as they are hashed.
    "SET client_encoding = 'UTF8'",
    # Each row by its id: a planner that does not know how many ids a block has would read the table for each window.
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET enable_memoize = off",
    "SET jit = off",
    # A window is sorted in memory.
    "SET work_mem = '64MB'",
)
ACCOUNTS_CACHE_MAX: Final = 1_000_000
_COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\0"
_COPY_HEADER_BYTES: Final = 19
_COPY_END: Final = b"\xff\xff"

_COLUMNS: Final[LiteralString] = (
    "t.id, t.group_id, t.decision_id, t.amount_minor, t.event_hash, t.event_at, t.posted_at, t.revision, t.stage,"
    " t.unit, t.programme, t.rule, t.partner, t.event_source, t.event_id, t.customer, t.deal, t.lead, t.available_at,"
    " t.expires_at, t.takes_back, t.reason, t.booked_by, t.news_at"
)
_OF_BLOCKS: Final[LiteralString] = (
    "COPY (SELECT t.debit_id, t.credit_id, " + _COLUMNS + " FROM ("  # noqa: S608  # constants only
    " SELECT b.number, u.id, u.position FROM rewards.blocks b, unnest(b.ids) WITH ORDINALITY AS u (id, position)"
    " WHERE b.number BETWEEN %s AND %s) u LEFT JOIN rewards.transfers t ON t.id = u.id"
    " ORDER BY u.number, u.position) TO STDOUT (FORMAT BINARY)"
)
"""Accounts first, because their addresses are hashed and not their numbers; then what is hashed, as it is hashed."""
_BY_ID: Final[LiteralString] = (
    "COPY (SELECT t.debit_id, t.credit_id, " + _COLUMNS + " FROM"  # constants only
    " unnest(%s::uuid[]) WITH ORDINALITY AS u (id, position) LEFT JOIN rewards.transfers t ON t.id = u.id"
    " ORDER BY u.position) TO STDOUT (FORMAT BINARY)"
)
_ACCOUNTS_BYTES: Final = 24
"""Of the two numbers, each with its length; two bytes before them say how many fields there are."""

Accounts = dict[bytes, bytes]
"""Encoded numbers to encoded addresses, as far as they were looked up."""


def set_up(connection: Connection) -> None:
    """What a connection needs before any of these."""
    for setting in SETTINGS:
        connection.execute(setting)


def rows_of_blocks(connection: Connection, first: int, last: int, accounts: Accounts) -> Iterator[bytes | None]:
    """The rows that these blocks name, in their order; None where there is none."""
    return _rows(connection, _OF_BLOCKS, (first, last), accounts)


def rows_by_id(connection: Connection, ids: Sequence[str]) -> list[bytes | None]:
    """The rows of these ids, in their order; None where there is none."""
    return list(_rows(connection, _BY_ID, (list(ids),), {})) if ids else []


def _rows(
    connection: Connection, copy_out: LiteralString, parameters: Sequence[Any], accounts: Accounts
) -> Iterator[bytes | None]:
    with connection.cursor() as cursor, cursor.copy(copy_out, parameters) as copy:
        messages = [bytes(data) for data in copy]
    # PostgreSQL sends each row as a message of its own, the first one after the file's header, and then an end.
    if messages and messages[0].startswith(_COPY_HEADER):
        messages[0] = messages[0][_COPY_HEADER_BYTES:]
    rows = [None if message[2:6] == NULL else message[2:] for message in messages if message and message != _COPY_END]
    _learn(connection, rows, accounts)
    return (None if row is None else row[_ACCOUNTS_BYTES:] + accounts[row[4:12]] + accounts[row[16:24]] for row in rows)


def _learn(connection: Connection, rows: Sequence[bytes | None], accounts: Accounts) -> None:
    """Look up the addresses of accounts that are not known yet; one that is not there is NULL."""
    numbers = {number for row in rows if row is not None for number in (row[4:12], row[16:24])}
    missing = numbers - accounts.keys()
    if len(accounts) + len(missing) > ACCOUNTS_CACHE_MAX:
        accounts.clear()
        missing = numbers
    if not missing:
        return
    ids = [int.from_bytes(number, "big", signed=True) for number in missing]
    accounts.update(dict.fromkeys(missing, NULL))
    for id, address in connection.execute("SELECT id, address FROM rewards.accounts WHERE id = ANY (%s)", (ids,)):
        encoded = address.encode()
        accounts[id.to_bytes(8, "big", signed=True)] = len(encoded).to_bytes(4, "big") + encoded


assert _COLUMNS.replace("t.", "").replace(" ", "").split(",") == list(ROW_FIELDS[:-2]), "the order that is hashed"
