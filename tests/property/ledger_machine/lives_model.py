"""Decisions as they should go: granted, held, waiting for a budget, denied, taken back. One thing after the other."""

from __future__ import annotations

from collections.abc import Callable

from contracts.decisions import Decision
from tests.property.ledger_machine.books import Books, Grant

RULED = 120
"""What the rules put into the budget `b`."""


class Lives(Books):
    """What became of each decision; budgets by name, and who waits for the one of the rules."""

    def __init__(self, programme: str) -> None:
        super().__init__(programme)
        self.budgets: dict[str, int] = {}
        self.is_ruled = False
        self.has_resumed = False
        self.queue: list[Decision] = []
        self.early: list[Decision] = []

    def take_decision(self, decision: Decision, now: int) -> None:
        minor = decision.amount_minor or 0
        if decision.id in self.known or decision in self.early:
            return
        if decision.takes_back:
            self.take_back(decision)
            return
        self.known[decision.id] = grant = Grant(decision)
        if decision.restates:
            grant.state = "debt"
            self.move(f"{decision.beneficiary}:available", "cost", -minor)
            return
        for claim in decision.budgets:
            if not self.is_ruled:
                self.is_ruled = True
                self.put_in("b", RULED)
            if claim.when_spent == "deny":
                grant.state = "posted" if self.budgets["b"] >= minor else "denied"
            elif self.queue or self.budgets["b"] < minor:
                grant.state = "waiting"
                self.queue.append(decision)
        if grant.state == "posted":
            self.grant(decision, now)

    def put_in(self, budget: str, minor: int) -> None:
        self.budgets[budget] = self.budgets.get(budget, 0) + minor
        self.move(self.account("allotted", budget), self.account("budget", budget), minor)

    def claim(self, budget: str, minor: int) -> None:
        self.budgets[budget] -= minor
        self.move(self.account("budget", budget), self.account("spent", budget), minor)

    def account(self, kind: str, budget: str) -> str:
        return f"programme:{self.programme}:{kind}:{budget}"

    def grant(self, decision: Decision, now: int) -> None:
        grant, minor = self.known[decision.id], decision.amount_minor or 0
        held = decision.available_at_ms is not None and decision.available_at_ms > now
        grant.state, grant.granted, grant.pending = "posted", minor, minor if held else 0
        grant.lot = minor if decision.expires_at_ms is not None else 0
        self.move("cost", f"{decision.beneficiary}:{'pending' if held else 'available'}", minor)
        if decision.budgets:
            self.claim("b", minor)

    def take_back(self, decision: Decision) -> bool:
        grant = self.known.get(decision.takes_back or "")
        if grant is None or grant.state == "waiting":
            if decision not in self.early:
                self.early.append(decision)
            return False
        self.known[decision.id] = Grant(decision, "clawback")
        minor = min(-(decision.amount_minor or 0), grant.takeable)
        self.back(grant, minor, min(minor, grant.pending))
        return True

    def back(self, grant: Grant, minor: int, from_hold: int) -> None:
        whose = grant.of.beneficiary
        grant.taken += minor
        grant.pending -= from_hold
        grant.lot -= min(grant.lot, minor)
        self.move(f"{whose}:pending", "cost", from_hold)
        self.move(f"{whose}:available", "cost", minor - from_hold)

    def release(self, grant: Grant, minor: int) -> None:
        grant.pending -= minor
        self.move(f"{grant.of.beneficiary}:pending", f"{grant.of.beneficiary}:available", minor)

    def refuse(self, decision: Decision) -> None:
        """By hand, what waits; for good."""
        self.known[decision.id] = Grant(decision, "refused")
        self.queue = [one for one in self.queue if one.id != decision.id]
        self.early = [one for one in self.early if one.id != decision.id]

    def tick(self, now: int, chores: Callable[[int], None]) -> None:
        """What time does, in the order in which the clockwork does it."""
        for grant in list(self.known.values()):
            if grant.pending and (grant.of.available_at_ms or 0) <= now:
                self.release(grant, grant.pending)
        self.early = [one for one in self.early if not self.take_back(one)]
        chores(now)
        self.expire(now)
        while self.queue and self.budgets["b"] >= (self.queue[0].amount_minor or 0):
            self.grant(self.queue.pop(0), now)
            self.has_resumed = True
