"""`goodword invoices issuer set|list`: the operator's name, address and tax numbers, and the prefix of its papers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goodword.terminal import DataOption, JsonOption, emit_json, out, print_table, problems_shown

if TYPE_CHECKING:
    from services.rewards.papers.parties import Issuer


def set_issuer(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="YAML; docs/ledger.md has an example."),
    ],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write down who issues papers for some programmes; papers that are issued keep what they say."""
    from goodword.rewarding import done

    with problems_shown():
        issuer = read_issuer(file)
        done(data, lambda rewards: rewards.papers.set_issuer(issuer))
    if as_json:
        emit_json(issuer)
    else:
        out.print(f"{issuer.name} issues papers for {', '.join(issuer.programmes)}", markup=False)


def list_issuers(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Who issues papers, for which programmes."""
    from goodword.target import find_target
    from services.rewards.reads import issuers

    with problems_shown():
        rows = issuers(find_target(data).postgres)
    if as_json:
        emit_json(rows)
        return
    cells = [(row.issuer, row.name, row.vat_id, row.prefix, ", ".join(row.programmes)) for row in rows]
    print_table(("issuer", "name", "VAT number", "prefix", "programmes"), cells)


def read_issuer(file: Path) -> Issuer:
    """The issuer that a file describes. Raises PermanentError (`issuer-unreadable`)."""
    import msgspec
    import yaml

    from contracts.errors import PermanentError, Problem
    from services.rewards.papers.parties import Issuer

    try:
        return msgspec.convert(yaml.safe_load(file.read_text(encoding="utf-8")), Issuer)
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError, OSError) as error:
        problem = Problem(
            code="issuer-unreadable",
            message=" ".join(str(error).split()),
            where=str(file),
            help="issuer, name, address (lines), country, prefix, programmes; maybe vat_id, tax_id, zone, language",
        )
        raise PermanentError(problem) from error
