"""From records of the bus to mails and address entries. Pure: what cannot be read comes back with its problem.

A batch is decoded in one go, several times cheaper than one by one; only when that fails is the bad record
looked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from contracts.decisions import DECISION_DENIED
from contracts.errors import Problem
from contracts.events import EventData, decode_data, decode_data_list
from contracts.facts import (
    LEDGER_HEAD,
    REWARD_NOTICE,
    decode_notice,
    decode_notice_list,
    decode_transfer,
    decode_transfer_list,
)
from contracts.ids import is_id
from contracts.money import UNIT_DECIMALS_MAX
from runtime.bus.port import Received
from services.notify.messages import DecisionView, Mail, mail_of_decision, mail_of_notice, mail_of_transfer
from services.notify.store import AddressEntry

PARTNER_SNAPSHOT: Final = "partner.snapshot"
Unreadable = tuple[Received, Problem]
_T = TypeVar("_T")

_decisions: Final = msgspec.json.Decoder(list[DecisionView])
_decision: Final = msgspec.json.Decoder(DecisionView)
_UUID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
TIME_MS_MAX: Final = 2**53
_HEAD: Final = ("ce_type", LEDGER_HEAD.encode())
_NOTICE: Final = ("ce_type", REWARD_NOTICE.encode())
_DENIED: Final = ("ce_type", DECISION_DENIED.encode())


def mails_of_decisions(records: Sequence[Received]) -> tuple[list[Mail], list[Unreadable]]:
    """The mails of a batch of decisions. Most decisions are denials, told by their header without decoding."""
    granted = [record for record in records if _DENIED not in record.headers]
    values, unreadable = _decode(granted, _decode_decision_list, _decision.decode)
    found = ((record, mail_of_decision(view, _header(record, "ce_traceparent"))) for record, view in values)
    return _sound(found, unreadable)


def mails_of_ledger(records: Sequence[Received]) -> tuple[list[Mail], list[Unreadable]]:
    """The mails of a batch of ledger facts; heads of its chain are for auditors."""
    records = [record for record in records if _HEAD not in record.headers]
    notices = [record for record in records if _NOTICE in record.headers]
    transfers = [record for record in records if _NOTICE not in record.headers] if notices else records
    posted, unreadable = _decode(transfers, decode_transfer_list, decode_transfer)
    told, others = _decode(notices, decode_notice_list, decode_notice)
    found = [(record, mail_of_transfer(fact)) for record, fact in posted]
    found += [(record, mail_of_notice(fact)) for record, fact in told]
    return _sound(found, [*unreadable, *others])


def entries_of_partners(records: Sequence[Received]) -> tuple[list[AddressEntry], list[Unreadable]]:
    """The address book entries of a batch of partner snapshots; records of other types are not for us."""
    snapshots = [record for record in records if _header(record, "ce_type") == PARTNER_SNAPSHOT]
    values, unreadable = _decode(snapshots, decode_data_list, decode_data)
    entries = []
    for record, data in values:
        entry = _entry(data)
        if entry is None:
            problem = Problem(
                code="snapshot-incomplete", message="a partner snapshot needs partner and profile", where="data"
            )
            unreadable.append((record, problem))
        else:
            entries.append(entry)
    return entries, unreadable


def _sound(
    found: Iterable[tuple[Received, Mail | None]], unreadable: list[Unreadable]
) -> tuple[list[Mail], list[Unreadable]]:
    """Mails whose fields fit their columns; one that does not would fail the statement of the whole batch."""
    mails = []
    for record, mail in found:
        if mail is None:
            continue
        where = _fault(mail)
        if where:
            problem = Problem(code="field-out-of-range", message=f"{where} is not what we write", where=where)
            unreadable.append((record, problem))
        else:
            mails.append(mail)
    return mails, unreadable


def _fault(mail: Mail) -> str:
    if not _UUID.fullmatch(mail.fact):
        return "id"
    if not is_id(mail.programme):
        return "programme"
    if not is_id(mail.partner):
        return "partner"
    if not 0 <= (mail.details.decimals or 0) <= UNIT_DECIMALS_MAX:
        return "decimals"
    return "" if abs(mail.time_ms) <= TIME_MS_MAX else "time_ms"


def _entry(data: EventData) -> AddressEntry | None:
    if data.partner is None or data.profile is None:
        return None
    profile = data.profile
    return AddressEntry(
        programme=data.programme,
        partner=data.partner,
        name=profile.name,
        email=profile.email,
        language=profile.language,
        status=profile.status,
    )


def _decode(
    records: Sequence[Received], decode_all: Callable[[list[bytes]], list[_T]], decode_one: Callable[[bytes], _T]
) -> tuple[list[tuple[Received, _T]], list[Unreadable]]:
    if not records:
        return [], []
    try:
        values = decode_all([record.value for record in records])
        # A value such as `{…},{…}` would shift all others; then each is looked at alone.
        if len(values) == len(records):
            return list(zip(records, values, strict=True)), []
    except msgspec.MsgspecError:
        pass
    readable: list[tuple[Received, _T]] = []
    unreadable: list[Unreadable] = []
    for record in records:
        try:
            readable.append((record, decode_one(record.value)))
        except msgspec.MsgspecError as error:
            unreadable.append((record, Problem(code="unreadable", message=str(error), where="value")))
    return readable, unreadable


def _decode_decision_list(values: list[bytes]) -> list[DecisionView]:
    return _decisions.decode(b"[" + b",".join(values) + b"]")


def _header(record: Received, name: str) -> str:
    for key, value in record.headers:
        if key == name:
            return value.decode(errors="replace")
    return ""
