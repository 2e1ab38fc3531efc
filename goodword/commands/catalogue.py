"""`goodword catalogue publish|list|show|codes`: what can be redeemed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from goodword.commands.who import WhoOption, name_of
from goodword.terminal import (
    DataOption,
    JsonOption,
    emit_json,
    fail,
    out,
    print_table,
    problems_shown,
    say,
)

if TYPE_CHECKING:
    from goodword.target import Target
    from services.rewards.catalogue.items import Catalogue
    from services.rewards.catalogue.store import Shelf

app: Final = typer.Typer(no_args_is_help=True)
codes: Final = typer.Typer(no_args_is_help=True, help="Codes of gift cards and discounts.")
app.add_typer(codes, name="codes")


@app.command("publish")
def publish(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A catalogue in YAML.")],
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a version of a programme's catalogue; what was reserved before keeps its own version and price."""
    from goodword.rewarding import with_rewards
    from goodword.target import find_target
    from services.rewards.catalogue.reading import read_catalogue

    text = file.read_text(encoding="utf-8", errors="replace")
    with problems_shown():
        catalogue = read_catalogue(text, path=str(file))
        target = find_target(data)
        for warning in _differences(target, catalogue):
            say(f"warning: {warning}", "yellow")
        done = with_rewards(
            target.postgres, lambda rewards: rewards.catalogues.publish(text, path=str(file), by=name_of(who))
        )
    if as_json:
        emit_json(done._asdict())
        return
    state = "published" if done.is_new else "was published already"
    out.print(f"{done.programme}: version {done.version} of {done.items} items {state}", markup=False)
    for item in done.withdrawn:
        out.print(f"{item} is not offered any more", markup=False)


@app.command("list")
def list_items(
    programme: Annotated[str | None, typer.Option("--programme", help="Only this one's.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """What is offered now, with price and what is left."""
    from goodword.rewarding import done_in_amounts

    found, amounts = done_in_amounts(data, lambda rewards: rewards.catalogues.offered(programme))
    if as_json:
        emit_json([_row(shelf) for shelf in found])
        return
    rows = []
    for shelf in found:
        item = shelf.offer.item
        price = amounts.show(item.price.minor, item.price.unit)
        left = "any" if shelf.stock.left is None else shelf.stock.left
        days = (
            " – ".join(str(day) if day else "…" for day in (item.starts, item.ends)) if item.starts or item.ends else ""
        )
        rows.append((shelf.programme, item.id, item.kind, price, left, ", ".join(item.tiers or ()), days))
    print_table(("programme", "item", "kind", ">price", ">left", "tiers", "days"), rows)


@app.command("show")
def show_catalogue(
    programme: Annotated[str, typer.Argument(metavar="PROGRAMME")],
    version: Annotated[int | None, typer.Option("--version", min=1, help="[default: the newest]")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """A version of the catalogue, as it was written."""
    from contracts.errors import Problem
    from goodword.rewarding import done
    from services.rewards.catalogue.reading import read_catalogue

    found = done(data, lambda rewards: rewards.catalogues.source(programme, version))
    if found is None:
        which = f"version {version} of the" if version else "a"
        help = "`goodword catalogue publish FILE` makes one"
        fail(Problem(code="no-catalogue", message=f"{programme} does not have {which} catalogue", help=help))
    if as_json:
        emit_json({"version": found[0], **read_catalogue(found[1]).model_dump(mode="json", by_alias=True)})
    else:
        typer.echo(found[1], nl=not found[1].endswith("\n"))


@codes.command("load")
def load_codes(
    item: Annotated[str, typer.Argument(metavar="ITEM")],
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="One code a line.")],
    programme: Annotated[str, typer.Option("--programme")],
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an item of `stock: codes` more codes; each is handed out once, those it had before are left out."""
    from goodword.rewarding import done

    lines = [line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
    given = [line for line in lines if line]
    new = done(data, lambda rewards: rewards.catalogues.load_codes(programme, item, given, by=name_of(who)))
    if as_json:
        emit_json({"item": item, "loaded": new, "known": len(given) - new})
    else:
        out.print(f"{new} codes loaded for {item}; {len(given) - new} were known", markup=False)


def _row(shelf: Shelf) -> dict[str, Any]:
    item = shelf.offer.item
    return {
        "programme": shelf.programme,
        "version": shelf.offer.version,
        **item.model_dump(mode="json", by_alias=True),
        "taken": shelf.stock.taken,
        "left": shelf.stock.left,
    }


def _differences(target: Target, catalogue: Catalogue) -> list[str]:
    """Where the catalogue speaks of other tiers or units than the rule set in force."""
    from goodword.in_force import rule_sets_in_force

    rules = rule_sets_in_force(target.postgres).get(catalogue.programme)
    if rules is None:
        return []
    found = []
    tiers = [tier.id for tier in rules.tiers]
    unknown = [tier for tier in catalogue.tiers if tier not in tiers]
    if unknown:
        found.append(f"the rule set in force has no tier {', '.join(unknown)}, only {', '.join(tiers) or 'none'}")
    elif catalogue.tiers and catalogue.tiers[0] != tiers[0]:
        found.append(f"everyone starts as {tiers[0]} in the rule set in force, not as {catalogue.tiers[0]}")
    used = _units(catalogue)
    found += [
        f"{unit.id} has {unit.decimals} decimals in the rule set in force: declare it in `decimals`"
        for unit in rules.units
        if unit.id in used and catalogue.decimals.get(unit.id, 0) != unit.decimals
    ]
    return found


def _units(catalogue: Catalogue) -> set[str]:
    return {amount.unit for item in catalogue.items for amount in (item.price, item.gives) if amount is not None} | set(
        catalogue.decimals
    )
