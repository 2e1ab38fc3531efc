"""What a sheet prints: every text in its language, in its place; `sheets/` only lays it out.

Pure but for the words, which are read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from services.rewards.papers.invoice import CARRIED, Invoice, Line, Settlement, digest, encode
from services.rewards.papers.parties import Party
from services.rewards.papers.speaker import Speaker

Sheet = dict[str, Any]


class Entry(NamedTuple):
    """A posting of a statement. `on` is its day; `minor` what it added, `balance_minor` what was there after it."""

    on: str
    stage: str
    rule: str
    reference: str
    minor: int
    balance_minor: int


class StatementOf(NamedTuple):
    """A statement of one account in one unit over some days, both included."""

    account: str
    holder: Sequence[str]
    unit: str
    decimals: int
    from_on: str
    to_on: str
    opening_minor: int
    closing_minor: int
    entries: Sequence[Entry]


def invoice_sheet(invoice: Invoice) -> Sheet:
    """An invoice or credit note, in its own language."""
    speaker = Speaker(invoice.language)
    say = speaker.say

    def amount(minor: int) -> str:
        return speaker.amount(minor, invoice.decimals)

    data = encode(invoice)
    facts = [
        (say("number"), invoice.number),
        (say("issued_on"), speaker.day(invoice.issued_on)),
        (
            say("supplied"),
            say(
                "supplied_value",
                **{"from": speaker.day(invoice.supplied_from), "to": speaker.day(invoice.supplied_to)},
            ),
        ),
    ]
    if invoice.payout:
        facts.append((say("payout"), invoice.payout))
    notes = [say("self_billing")]
    if invoice.corrects is not None:
        corrected_on = speaker.day(invoice.corrects.issued_on)
        facts.append((say("reason"), invoice.corrects.reason))
        notes.insert(0, say("corrects", number=invoice.corrects.number, issued_on=corrected_on))
    if invoice.tax.kind == "reverse-charge":
        notes.append(say("reverse-charge"))
    elif invoice.tax.kind == "exempt":
        notes.append(say("exempt", reason=invoice.tax.reason))
    elif invoice.tax.kind == "outside":
        notes.append(say("outside"))
    else:
        notes.append(say("rounding"))
    is_standard = invoice.tax.kind == "standard"
    return {
        "language": speaker.language,
        "title": say(invoice.kind),
        "subject": invoice.number,
        "author": invoice.issuer.name,
        "facts": facts,
        "parties": [_party(speaker, "supplier", invoice.supplier), _party(speaker, "customer", invoice.issuer)],
        "columns": [say("description"), f"{say('net')} {invoice.currency}", f"{say('gross')} {invoice.currency}"],
        "rows": [[_line(speaker, line), amount(line.net_minor), amount(line.gross_minor)] for line in invoice.lines],
        "totals": [
            [say("net"), f"{amount(invoice.net_minor)} {invoice.currency}"],
            [
                say("tax_of", rate=speaker.rate(invoice.tax.rate_ppm)) if is_standard else say("tax_none"),
                f"{amount(invoice.tax_minor)} {invoice.currency}",
            ],
            [say("total"), f"{amount(invoice.gross_minor)} {invoice.currency}"],
        ],
        "settlement": [] if invoice.settlement is None else _settlement(speaker, invoice, invoice.settlement),
        "notes": notes,
        "page": say("page"),
        "attached": {"name": f"{invoice.number}.json", "text": data.decode()},
        "digest": [say("data"), digest(data)],
    }


def statement_sheet(statement: StatementOf, language: str | None) -> Sheet:
    """A statement of an account."""
    speaker = Speaker(language)
    say = speaker.say

    def amount(minor: int) -> str:
        return speaker.amount(minor, statement.decimals)

    unit = statement.unit
    return {
        "language": speaker.language,
        "title": say("statement"),
        "subject": statement.account,
        "author": "Goodword",
        "facts": [
            (say("account"), statement.account),
            (
                say("period"),
                say("supplied_value", **{"from": speaker.day(statement.from_on), "to": speaker.day(statement.to_on)}),
            ),
            (say("opening"), f"{amount(statement.opening_minor)} {unit}"),
            (say("closing"), f"{amount(statement.closing_minor)} {unit}"),
        ],
        "parties": [{"role": say("holder"), "lines": list(statement.holder)}] if statement.holder else [],
        "columns": [
            say("date"),
            say("description"),
            say("event"),
            f"{say('amount')} {unit}",
            f"{say('balance')} {unit}",
        ],
        "rows": [
            [
                entry.on,
                f"{speaker.stage(entry.stage)}: {entry.rule}",
                entry.reference,
                amount(entry.minor),
                amount(entry.balance_minor),
            ]
            for entry in statement.entries
        ],
        "totals": [],
        "settlement": [],
        "notes": [] if statement.entries else [say("nothing")],
        "page": say("page"),
    }


def _party(speaker: Speaker, role: str, party: Party) -> dict[str, Any]:
    lines = [party.name, *party.address, speaker.country(party.country)]
    lines += [f"{speaker.say(word)}: {id}" for word, id in (("vat_id", party.vat_id), ("tax_id", party.tax_id)) if id]
    return {"role": speaker.say(role), "lines": lines}


def _settlement(speaker: Speaker, invoice: Invoice, settlement: Settlement) -> list[list[str]]:
    rows = []
    if settlement.fee_minor:
        rows.append(
            [speaker.say("fee"), f"{speaker.amount(-settlement.fee_minor, invoice.decimals)} {invoice.currency}"]
        )
    if settlement.rate:
        rows.append([speaker.say("rate"), settlement.rate])
    paid = f"{speaker.amount(settlement.paid_minor, settlement.decimals)} {settlement.currency}"
    return [*rows, [speaker.say("paid"), paid]]


def _line(speaker: Speaker, line: Line) -> str:
    if line.rule == CARRIED:
        return speaker.say("carried", programme=line.programme)
    what = (
        speaker.say("rewards", rule=line.rule, programme=line.programme)
        if line.rule
        else speaker.say("commission", programme=line.programme)
    )
    return f"{what}, {speaker.month(line.month)}" if line.month else what
