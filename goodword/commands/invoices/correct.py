"""`goodword invoices correct`: a credit note."""

from __future__ import annotations

from typing import Annotated

import typer

from goodword.commands.invoices.listing import NumberArgument
from goodword.terminal import DataOption, JsonOption, emit_json, out, problems_shown


def correct(
    number: NumberArgument,
    reason: Annotated[str, typer.Option("--reason", help="Printed on the credit note.")],
    amount: Annotated[
        str | None, typer.Option("--amount", metavar="AMOUNT", help="Gross, like '12.50 EUR'. [default: what is left]")
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="Asked again under the same one, the same note is returned.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Issue a credit note of an invoice, or of a part of it. Nothing is paid or taken back by that."""
    from contracts.errors import PermanentError, Problem
    from goodword.amounts import Amounts
    from goodword.rewarding import done
    from goodword.target import find_target
    from services.rewards.papers.invoice import correction_reference
    from services.rewards.reads import invoice

    with problems_shown():
        part = Amounts().read(amount) if amount else None
        found = invoice(find_target(data).postgres, number)
        if part is not None and part.unit != found.currency:
            problem = Problem(code="amount-malformed", message=f"{number} is in {found.currency}", where=amount or "")
            raise PermanentError(problem)
        gross_minor = None if part is None else part.amount_minor
        # By what is credited, so that the same command twice by mistake is one note.
        told_apart_by = reference or ("rest" if gross_minor is None else str(gross_minor))
        asked_by = correction_reference(number, told_apart_by)
        issued = done(
            data,
            lambda rewards: rewards.papers.correct(number, gross_minor=gross_minor, reference=asked_by, reason=reason),
        )
    if as_json:
        emit_json(issued.invoice)
        return
    was = "issued" if issued.is_new else "was issued before"
    out.print(f"{issued.invoice.number} {was}: a credit note of {number}", markup=False)
