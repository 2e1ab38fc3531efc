"""A run as CSV, for whoever pays by hand or by a bank's own import. Pure.

Cells that a spreadsheet would take for a formula are defused by an apostrophe (OWASP, CSV injection): a partner's name
is whatever a partner says it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

from contracts.csv_cells import text_cell
from services.rewards.payouts.bank_file import amount_text, end_to_end_id, execution_day, in_file
from services.rewards.payouts.payout import Payout, Run

COLUMNS: Final = (
    *("payout", "end_to_end_id", "beneficiary", "method", "currency", "amount", "name", "country", "iban", "bic"),
    *("account", "pay_on", "reference"),
)


def payouts_csv(run: Run, payouts: Sequence[Payout]) -> bytes:
    """The file, in UTF-8, its lines ended as RFC 4180 says. Raises PermanentError (`run-not-approved`)."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for payout in in_file(run, payouts):
        payee = payout.payee
        cells = (
            *(payout.id, end_to_end_id(payout), payout.beneficiary, payee.method, payout.currency, amount_text(payout)),
            *(payee.name, payee.country, payee.iban or "", payee.bic or "", payee.account or ""),
            *(execution_day(run).isoformat(), run.reference),
        )
        writer.writerow([text_cell(cell) for cell in cells])
    return file.getvalue().encode()
