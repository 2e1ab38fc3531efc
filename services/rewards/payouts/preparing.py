"""Prepares runs: who is paid what, and who is not and why.

Promises: a run is prepared once, under an id that its programme, currency and period make; killed anywhere and begun
again it becomes the same; two processes at once prepare it together, and runs of several programmes never pay more
than a balance, because a share is summed only while its balance is locked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from contracts.errors import InvariantBroken, PermanentError, Problem
from contracts.facts import TransferPosted
from contracts.ids import is_id
from contracts.money import is_currency
from runtime.clock import Clock
from runtime.database import Connection, Connections
from runtime.people import checked_who
from services.rewards import chart
from services.rewards.legs import ByHand
from services.rewards.payouts import moves, store
from services.rewards.payouts.audit import note
from services.rewards.payouts.directory import payees_of, plan_of, refuse
from services.rewards.payouts.payable import Candidate, decide
from services.rewards.payouts.payout import LeftOut, Payout, Run, run_id, run_reference
from services.rewards.payouts.plan import Terms, terms_faults, terms_shown
from services.rewards.payouts.positions import move_positions
from services.rewards.payouts.rates import rates_to
from services.rewards.store import Ledger, outages_are_transient

BALANCES_OF_A_STEP: Final = 250
"""Balances that one transaction locks: nobody's postings wait for a whole run."""
BY_SCHEDULE: Final = "the schedule"
"""Who prepares what is due: nobody's name, so anybody may approve it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which run, and what of the programme's settings is to be otherwise.

    Attributes:
        period: None: the day.
        day: Whose rates hold; None: today, in UTC.
        terms: None: those of the plan, or none at all without one.
    """

    programme: str
    unit: str
    period: str | None = None
    day: date | None = None
    terms: Terms | None = None


class _NotOpen(Exception):
    """Somebody became payable at this moment, and has no accounts for it yet."""


class Preparer:
    """Prepares runs. Safe to use from several tasks and processes at once."""

    def __init__(self, database: Connections, ledger: Ledger, *, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock

    async def prepare(self, asked: Asked, *, who: str) -> Run:
        """A run of all who have something to be paid, prepared as far as it was not yet.

        Raises:
            PermanentError: `bad-run`, `bad-payout-plan`; `run-has-other-terms`: it is there, with other ones.
            TransientError: The database is away; ask for the same run again.
        """
        with outages_are_transient():
            async with self._database.connection() as connection:
                run = await self._begin(connection, asked, who)
                while run.state == "preparing":
                    run = await self._step(connection, run, who)
        return run

    async def request(
        self, programme: str, unit: str, beneficiary: str, amount_minor: int | None, *, who: str
    ) -> tuple[Run, Payout]:
        """A run of one, as its beneficiary asked for it: by the plan's terms, and all that can be paid unless told.

        Raises:
            PermanentError: `payout-open`: an earlier request is not finished; or why nothing can be paid.
            TransientError: The database is away; nothing is known.
        """
        chart.available_account(beneficiary)
        now_ms = self._clock.now_ms()
        asked = Asked(programme=programme, unit=unit, period=f"{beneficiary.replace(':', '/')}/{now_ms}")
        with outages_are_transient():
            async with self._database.connection() as connection:
                run = await self._new_run(connection, asked, who, is_requested=True)
                run.state = "prepared"
                accounts = moves.accounts_of(programme, [beneficiary])
                await self._ledger.open_accounts(connection, accounts)
                async with connection.transaction():
                    await store.lock_programme(connection, programme)
                    if await store.has_requested_run(connection, programme, unit, beneficiary):
                        message = f"an earlier payout that {beneficiary} asked for is not finished"
                        raise _refused("payout-open", message, "wait until the bank has paid it, or have it cancelled")
                    account = await store.available_account_of(connection, beneficiary)
                    made = await self._decide(connection, run, {beneficiary: account or 0}, amount_minor)
                    payout = made[0] if made else None
                    if not isinstance(payout, Payout):
                        code, message = (payout.code, payout.message) if payout else ("nothing-owed", "it owes nothing")
                        raise _refused(f"payout-{code}", f"{programme} does not pay {beneficiary} now: {message}", "")
                    await store.add_run(connection, run)
                    await self._post(connection, run, [payout], {beneficiary})
                    await note(connection, "request", run.id, who=who, at_ms=now_ms, details=_told(run))
        return run, payout

    async def _begin(self, connection: Connection, asked: Asked, who: str) -> Run:
        new = await self._new_run(connection, asked, who)
        if await store.find_run(connection, new.id) is None:
            async with connection.transaction():
                await store.lock_programme(connection, new.programme)
                if await store.add_run(connection, new):
                    await note(connection, "prepare", new.id, who=who, at_ms=new.prepared_at_ms, details=_told(new))
        run = await store.find_run(connection, new.id)
        if run is None:
            raise InvariantBroken(f"the run {new.reference} was stored, and is not there")
        if asked.terms is not None and run.terms != asked.terms:
            message = f"the run {run.reference} is there already, with other terms"
            raise _refused("run-has-other-terms", message, "cancel it, or give the new one a period of its own")
        return run

    async def _new_run(self, connection: Connection, asked: Asked, who: str, *, is_requested: bool = False) -> Run:
        now_ms = self._clock.now_ms()
        day = asked.day or datetime.fromtimestamp(now_ms / 1000, UTC).date()
        period = asked.period or day.isoformat()
        who = checked_who(who)
        for name, value, is_right in (
            ("programme", asked.programme, is_id(asked.programme)),
            ("currency", asked.unit, is_currency(asked.unit)),
            ("period", period, is_requested or is_id(period)),
        ):
            if not is_right:
                help = "a currency of ISO 4217 like EUR; other names are 1–128 of A–Z a–z 0–9 . _ ~ / @ + -"
                raise _refused("bad-run", f"{value!r} is not the {name} of a run", help)
        plan = await plan_of(connection, asked.programme, asked.unit)
        terms = asked.terms or (plan.terms if plan else Terms())
        refuse(terms_faults(terms))
        return Run(
            id=run_id(asked.programme, asked.unit, period),
            reference=run_reference(asked.programme, asked.unit, period),
            programme=asked.programme,
            unit=asked.unit,
            period=period,
            state="preparing",
            terms=terms,
            day=day.isoformat(),
            prepared_at_ms=now_ms,
            prepared_by=who,
            is_requested=is_requested,
        )

    async def _step(self, connection: Connection, ahead: Run, who: str) -> Run:
        """The next balances of a run, in one transaction; who comes second goes on where the first one ended."""
        found = await store.next_accounts(connection, ahead, count_max=BALANCES_OF_A_STEP)
        payees = await payees_of(connection, found.keys())
        likely = {one for one in payees if found[one][1] >= ahead.terms.minimum_minor}
        await self._ledger.open_accounts(connection, moves.accounts_of(ahead.programme, likely))
        try:
            async with connection.transaction():
                await store.lock_programme(connection, ahead.programme)
                run = await store.lock_run(connection, ahead.id)
                if (run.state, run.next_account) != (ahead.state, ahead.next_account):
                    return run
                made = await self._decide(connection, run, {one: account for one, (account, _) in found.items()})
                await store.add_left_out(connection, run, [one for one in made if isinstance(one, LeftOut)])
                await self._post(connection, run, [one for one in made if isinstance(one, Payout)], likely)
                if found:
                    run.next_account = max(account for account, _ in found.values()) + 1
                else:
                    counts = await store.count_by_state(connection, run.id)
                    run.state = "prepared" if counts else "finished"
                await store.change_run(connection, run)
        except _NotOpen:
            return ahead
        return run

    async def _decide(
        self, connection: Connection, run: Run, accounts: Mapping[str, int], asked_minor: int | None = None
    ) -> list[Payout | LeftOut]:
        """What becomes of each of these; their balances are locked from here on."""
        payees = await payees_of(connection, accounts.keys())
        rates = await rates_to(connection, run.programme, run.unit, {p.currency for p in payees.values()}, run.day)
        balances = await store.lock_balances(connection, run.unit, accounts.values())
        own = await store.shares(connection, run.programme, run.unit, balances.keys()) if balances else {}
        outcomes = []
        for beneficiary, account in sorted(accounts.items()):
            candidate = Candidate(beneficiary, balances.get(account, 0), own.get(account, 0))
            payee = payees.get(beneficiary)
            rate = rates.get(payee.currency) if payee else None
            outcomes.append(decide(run, candidate, payee, rate, asked_minor=asked_minor))
        return [outcome for outcome in outcomes if outcome is not None]

    async def _post(
        self, connection: Connection, run: Run, payouts: Sequence[Payout], opened: AbstractSet[str]
    ) -> None:
        if not payouts:
            return
        if not opened >= {payout.beneficiary for payout in payouts}:
            raise _NotOpen
        await store.add_payouts(connection, payouts)
        rounded = await move_positions(connection, run.programme, payouts)
        by_hand = ByHand(f"payout run {run.reference}", run.prepared_by)
        done = moves.Done(run.prepared_at_ms, self._clock.now_ms(), by_hand)
        legs: list[TransferPosted] = []
        for payout in payouts:
            legs += moves.prepare(payout, rounded.get(payout.id), done)
        await post_all(self._ledger, connection, legs)


async def post_all(ledger: Ledger, connection: Connection, legs: Sequence[TransferPosted]) -> None:
    """Post legs that are new, in the caller's transaction. Raises InvariantBroken when any was there already."""
    posted = await ledger.post_within(connection, legs)
    if posted.count != len(legs):
        raise InvariantBroken(f"of {len(legs)} transfers of payouts only {posted.count} were new")


def _told(run: Run) -> dict[str, object]:
    return {"reference": run.reference, "day": run.day, "terms": terms_shown(run.terms)}


def _refused(code: str, message: str, help: str) -> PermanentError:
    return PermanentError(Problem(code=code, message=message, help=help))
