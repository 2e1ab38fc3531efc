"""What becomes of prepared payouts: approved by somebody else, sent, settled or returned by the bank, or cancelled.

Promises: a step is one transaction per batch, of rows and transfers together, so one that was killed goes on where it
ended when it is done again, and one that is done already changes nothing; nobody approves what they prepared, where a
second person is asked for; nothing that was sent is cancelled.
"""

from __future__ import annotations

from typing import Any, Final

from contracts.errors import PermanentError, Problem
from runtime.clock import Clock
from runtime.database import Connection, Connections
from runtime.people import checked_who, is_same_person
from services.rewards.legs import ByHand
from services.rewards.payouts import moves, store
from services.rewards.payouts.audit import note
from services.rewards.payouts.payout import STEPS, Payout, Run, RunState, Step
from services.rewards.payouts.policy import requires_approval
from services.rewards.payouts.positions import move_positions
from services.rewards.payouts.preparing import post_all
from services.rewards.store import Ledger, outages_are_transient

PAYOUTS_OF_A_STEP: Final = 1_000
"""Payouts of one transaction."""
TEXT_LENGTH_MAX: Final = 1_024

_RUN_STEPS: Final[dict[Step, tuple[tuple[RunState, ...], RunState]]] = {
    "approve": (("prepared",), "approved"),
    "send": (("approved",), "sent"),
    "settle": (("sent",), "finished"),
    "cancel": (("preparing", "prepared", "approved"), "cancelled"),
}


class PayoutDesk:
    """Steps of runs and of single payouts. All raise PermanentError and TransientError."""

    def __init__(self, database: Connections, ledger: Ledger, *, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock

    async def approve(self, run: str, *, who: str, note: str = "") -> Run:
        """Let a prepared run go to the bank; by somebody else than who prepared it, where that is asked for."""
        return await self._step_run(run, "approve", who, note)

    async def cancel(self, run: str, *, who: str, note: str) -> Run:
        """Take a run back that was not sent: everything is available again. To reject is the same."""
        _checked_text("reason", note)
        return await self._step_run(run, "cancel", who, note)

    async def send(self, run: str, *, who: str, note: str = "") -> Run:
        """Note that an approved run goes to the bank; its file can be written as often as anybody likes."""
        return await self._step_run(run, "send", who, note)

    async def settle_run(self, run: str, *, who: str, reference: str, at_ms: int | None = None) -> Run:
        """The bank has paid all that was sent and not returned."""
        _checked_text("reference", reference)
        return await self._step_run(run, "settle", who, reference, at_ms)

    async def settle(self, payout: str, at_ms: int | None, reference: str, *, who: str) -> Payout:
        """The bank has paid one; the same again changes nothing."""
        _checked_text("reference", reference)
        return await self._step_one(payout, "settle", who, reference, at_ms)

    async def return_(self, payout: str, at_ms: int | None, reason: str, *, who: str) -> Payout:
        """The bank could not pay one, or has it back: it is available again. The same again changes nothing."""
        _checked_text("reason", reason)
        return await self._step_one(payout, "return", who, reason, at_ms)

    async def cancel_one(self, payout: str, *, who: str, reason: str) -> Payout:
        """Take one out of a run that was not sent."""
        _checked_text("reason", reason)
        return await self._step_one(payout, "cancel", who, reason, None)

    async def _step_run(self, named: str, step: Step, who: str, text: str, at_ms: int | None = None) -> Run:
        who = checked_who(who)
        if text:
            _checked_text("note", text)
        at_ms = self._clock.now_ms() if at_ms is None else at_ms
        with outages_are_transient():
            async with self._database.connection() as connection:
                found = await store.find_run(connection, named)
                if found is None:
                    raise _refused("no-such-run", f"there is no payout run {named}", "`goodword payouts list`")
                is_done = False
                while not is_done:
                    async with connection.transaction():
                        await store.lock_programme(connection, found.programme)
                        run = await store.lock_run(connection, found.id)
                        if run.state == _RUN_STEPS[step][1]:
                            return run
                        await _check_step(connection, run, step, who)
                        is_done = await self._step_some(connection, run, step, who, text, at_ms)
        return run

    async def _step_some(self, connection: Connection, run: Run, step: Step, who: str, text: str, at_ms: int) -> bool:
        """The next payouts of a run; whether they were the last, and then it is in its next state."""
        payouts = await store.lock_payouts_in(connection, run.id, STEPS[step][0], count_max=PAYOUTS_OF_A_STEP)
        await self._move(connection, payouts, step, who, text, at_ms)
        if len(payouts) == PAYOUTS_OF_A_STEP:
            return False
        run.state = _RUN_STEPS[step][1]
        if step == "approve":
            run.approved_by, run.approved_at_ms = who, at_ms
        elif step == "send":
            run.sent_by, run.sent_at_ms = who, at_ms
        run.note = text or run.note
        await self._finish(connection, run)
        await store.change_run(connection, run)
        await note(connection, step, run.id, who=who, at_ms=self._clock.now_ms(), details=_details(run, text))
        return True

    async def _step_one(self, named: str, step: Step, who: str, text: str, at_ms: int | None) -> Payout:
        who = checked_who(who)
        if text:
            _checked_text("note", text)
        at_ms = self._clock.now_ms() if at_ms is None else at_ms
        with outages_are_transient():
            async with self._database.connection() as connection:
                found = await store.find_payout(connection, named)
                if found is None:
                    raise _refused("no-such-payout", f"there is no payout {named}", "`goodword payouts show RUN`")
                async with connection.transaction():
                    await store.lock_programme(connection, found.programme)
                    run = await store.lock_run(connection, found.run)
                    payout = await store.lock_payout(connection, found.id)
                    sources, target = STEPS[step]
                    if payout.state == target:
                        return payout
                    if payout.state not in sources:
                        message = f"the payout {payout.id} is {payout.state}"
                        raise _refused(
                            "payout-in-other-state", message, f"one can {step} what is {' or '.join(sources)}"
                        )
                    await self._move(connection, [payout], step, who, text, at_ms)
                    if await self._finish(connection, run):
                        await store.change_run(connection, run)
                    details = {"payout": payout.id, "beneficiary": payout.beneficiary, "note": text}
                    await note(connection, step, run.id, who=who, at_ms=self._clock.now_ms(), details=details)
        return payout

    async def _move(
        self, connection: Connection, payouts: list[Payout], step: Step, who: str, text: str, at_ms: int
    ) -> None:
        if not payouts:
            return
        gives_back = step in ("return", "cancel")
        programme = payouts[0].programme
        rounded = await move_positions(connection, programme, payouts, leaves=True) if gives_back else {}
        # What it moves between was opened with the run; another process's ids are looked up.
        done = moves.Done(at_ms, self._clock.now_ms(), ByHand(text or step, who))
        legs = []
        for payout in payouts:
            legs += moves.step(payout, step, rounded.get(payout.id), done)
            payout.state, payout.changed_at_ms = STEPS[step][1], at_ms
            if step == "send":
                payout.sent_at_ms = at_ms
            elif step == "settle":
                payout.settled_at_ms, payout.bank_reference = at_ms, text
            elif gives_back:
                payout.reason = text
        await store.change_payouts(connection, payouts)
        await post_all(self._ledger, connection, legs)

    @staticmethod
    async def _finish(connection: Connection, run: Run) -> bool:
        """Whether a run is over with this: the bank has answered about all of it, or nothing of it is left."""
        counts = await store.count_by_state(connection, run.id)
        is_open = any(counts.get(state) for state in ("prepared", "approved", "sent"))
        if is_open or run.state in ("preparing", "cancelled"):
            return False
        run.state = "finished" if counts.keys() - {"cancelled"} else "cancelled"
        return True


async def _check_step(connection: Connection, run: Run, step: Step, who: str) -> None:
    sources, _ = _RUN_STEPS[step]
    if run.state not in sources:
        message = f"the run {run.reference} is {run.state}"
        raise _refused("run-in-other-state", message, f"one can {step} what is {' or '.join(sources)}")
    if step == "approve" and is_same_person(who, run.prepared_by) and await requires_approval(connection):
        message = f"{who} prepared the run {run.reference}, and somebody else has to approve it"
        raise _refused("second-person-missing", message, "GOODWORD_REWARDS_REQUIRE_APPROVAL asks for it")


def _details(run: Run, text: str) -> dict[str, Any]:
    return {"reference": run.reference, "state": run.state, "note": text}


def _checked_text(name: str, text: str) -> None:
    if not text.strip() or not text.isprintable() or len(text) > TEXT_LENGTH_MAX:
        raise _refused("reason-missing", f"the {name} is {text!r}", f"say it in up to {TEXT_LENGTH_MAX} characters")


def _refused(code: str, message: str, help: str) -> PermanentError:
    return PermanentError(Problem(code=code, message=message, help=help))
