"""`goodword memberships buy|cancel|list|show`: tiers that partners choose and pay for, a term at a time."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from goodword.commands.who import WhoOption, name_of
from goodword.terminal import DataOption, JsonOption, emit_json, out, print_table, problems_shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from contracts.ruleset.whole import Tier
    from goodword.rewarding import Rewards
    from goodword.target import Target
    from services.rewards.memberships.selling import Offer
    from services.rewards.memberships.terms import Membership, Per

app: Final = typer.Typer(no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `goodword memberships list` shows it.")]


@app.command("buy")
def buy(
    tier: Annotated[str, typer.Argument(metavar="TIER", help="One that the rule set gives `by: choice`.")],
    beneficiary: Annotated[str, typer.Option("--for", metavar="WHOM", help="Such as partner:moses-frase.")],
    programme: Annotated[str, typer.Option("--programme")],
    price: Annotated[str | None, typer.Option("--price", help="Another than the rule set's, like '500 USD'.")] = None,
    per: Annotated[
        Literal["month", "quarter", "year", "ever"] | None, typer.Option("--per", help="Another than the rule set's.")
    ] = None,
    back_to: Annotated[
        str | None, typer.Option("--back-to", help="The tier afterwards. [default: where everyone starts]")
    ] = None,
    paid_outside: Annotated[
        str | None,
        typer.Option("--paid-outside", metavar="REFERENCE", help="It was paid elsewhere; nothing is charged."),
    ] = None,
    renews: Annotated[bool, typer.Option("--renews", help="Charge the next term when one ends.")] = False,
    key: Annotated[
        str | None, typer.Option("--key", help="The same key again is the same membership. [default: a new one]")
    ] = None,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Charge a partner for a tier and a term; the rules hear of the tier within seconds."""
    from goodword.target import find_target

    with problems_shown():
        offer = _offer(find_target(data), programme, tier, price, per, back_to)
    offer = offer._replace(paid_outside=paid_outside, renews=renews)
    _do(
        data,
        lambda rewards: rewards.memberships.buy(
            programme, beneficiary, offer, key=key or secrets.token_hex(16), by=name_of(who)
        ),
        as_json=as_json,
    )


@app.command("cancel")
def cancel(
    id: IdArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the transfer, and told to the partner.")],
    no_refund: Annotated[bool, typer.Option("--no-refund", help="Give nothing back of what is unused.")] = False,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a membership now; what is unused of its term, by days, is given back."""
    _do(
        data,
        lambda rewards: rewards.memberships.cancel(id, reason=reason, by=name_of(who), is_refunded=not no_refund),
        as_json=as_json,
    )


@app.command("list")
def list_memberships(
    beneficiary: Annotated[str | None, typer.Option("--for", metavar="WHOM", help="Only theirs.")] = None,
    state: Annotated[Literal["active", "ended", "refunded"] | None, typer.Option("--state")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Memberships, the newest first."""
    from goodword.rewarding import done_in_amounts
    from services.rewards.memberships.line import membership_line

    found, amounts = done_in_amounts(data, lambda rewards: rewards.memberships.listed(beneficiary, state, limit=limit))
    rows = [membership_line(each) for each in found]
    if as_json:
        emit_json(rows)
        return
    cells = []
    for row in rows:
        price, until = amounts.show(row["price_minor"], row["unit"]), (row["until"] or "for ever")[:10]
        names = (row["id"], row["programme"], row["beneficiary"], row["tier"])
        cells.append((*names, price, row["per"], until, row["state"]))
    print_table(("id", "programme", "whom", "tier", ">price", "per", "until", "state"), cells)


@app.command("show")
def show_membership(id: IdArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """One membership."""
    from goodword.rewarding import done, show_one
    from services.rewards.memberships.line import membership_line

    show_one(dict(membership_line(done(data, lambda rewards: rewards.memberships.show(id)))), as_json=as_json)


def _offer(target: Target, programme: str, tier: str, price: str | None, per: Per | None, back_to: str | None) -> Offer:
    """What the rule set in force says of the tier, where the command does not."""
    from contracts.errors import PermanentError, Problem
    from contracts.money import told_decimals
    from goodword.amounts import amounts_now
    from services.rewards.memberships.selling import Offer

    tiers = _tiers_in_force(target, programme)
    known = next((each for each in tiers if each.id == tier), None)
    if tiers and (known is None or known.by != "choice"):
        choices = ", ".join(each.id for each in tiers if each.by == "choice") or "none"
        message = f"{programme} sells no tier {tier}; those of `by: choice` are: {choices}"
        raise PermanentError(Problem(code="no-such-tier", message=message, where=tier))
    told = known.price if known else None
    amounts = amounts_now(target.postgres)
    money = amounts.read(price) if price else (told.amount if told else None)
    term = per or (told.per if told else None)
    first = back_to or (tiers[0].id if tiers else None)
    if money is None or term is None or first is None:
        help = "the rule set in force does not say all of it: name --price, --per and --back-to"
        raise PermanentError(
            Problem(code="no-price", message=f"the tier {tier} of {programme} has no price", help=help)
        )
    decimals = told_decimals(money.unit, amounts.decimals_of(money.unit))
    return Offer(tier, first, term, money.amount_minor, money.unit, decimals)


def _tiers_in_force(target: Target, programme: str) -> tuple[Tier, ...]:
    """None when no rule set of the programme is in force here."""
    from goodword.in_force import rule_sets_in_force

    rules = rule_sets_in_force(target.postgres).get(programme)
    return rules.tiers if rules else ()


def _do(data: Path | None, work: Callable[[Rewards], Awaitable[Membership]], *, as_json: bool) -> None:
    from goodword.rewarding import done_in_amounts
    from services.rewards.memberships.line import membership_line

    made, amounts = done_in_amounts(data, work)
    row = membership_line(made)
    if as_json:
        emit_json(row)
        return
    price, until = amounts.show(made.price_minor, made.unit), row["until"] or "for ever"
    out.print(f"{made.state}: {made.tier} for {made.beneficiary}, {price}, until {until}", markup=False)
    if made.refunded_minor:
        out.print(f"given back: {amounts.show(made.refunded_minor, made.unit)}", markup=False)
    out.print(made.id, markup=False)
