"""What the ledger should hold: plain dictionaries, and one thing after the other. The ledger is held against this."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from contracts.decisions import Decision

BUDGET = 120


def minor_of(decision: Decision) -> int:
    """What a decision about money is worth; the model takes no others."""
    assert decision.amount_minor is not None
    return decision.amount_minor


class Model:
    """What should be: one decision after the other, in plain Python."""

    def __init__(self, programme: str) -> None:
        self.programme = programme
        self.balances: dict[str, int] = defaultdict(int)
        self.known: dict[str, dict[str, Any]] = {}
        self.queue: list[Decision] = []
        self.early: list[Decision] = []
        self.left: int | None = None

    def move(self, debit: str, credit: str, minor: int) -> None:
        self.balances[debit] -= minor
        self.balances[credit] += minor

    def take(self, decision: Decision, now: int) -> None:
        if decision.id in self.known or decision in self.early:
            return
        if decision.takes_back:
            self.take_back(decision)
            return
        minor = minor_of(decision)
        if decision.restates:
            self.known[decision.id] = {"state": "debt", "of": decision}
            self.move(f"{decision.beneficiary}:available", "cost", -minor)
            return
        self.known[decision.id] = grant = {"state": "posted", "of": decision, "granted": 0, "pending": 0, "taken": 0}
        grant |= {"lot": 0, "expired": 0}
        for claim in decision.budgets:
            if self.left is None:
                self.left = BUDGET
                self.move(self.account("allotted"), self.account("budget"), BUDGET)
            if claim.when_spent == "deny":
                grant["state"] = "posted" if self.left >= minor else "denied"
            elif self.queue or self.left < minor:
                grant["state"] = "waiting"
                self.queue.append(decision)
        if grant["state"] == "posted":
            self.grant(decision, now)

    def account(self, kind: str) -> str:
        return f"programme:{self.programme}:{kind}:b"

    def grant(self, decision: Decision, now: int, *, claims: bool = True) -> None:
        grant, minor = self.known[decision.id], minor_of(decision)
        held = decision.available_at_ms is not None and decision.available_at_ms > now
        grant |= {"state": "posted", "granted": minor, "pending": minor if held else 0}
        grant["lot"] = minor if decision.expires_at_ms is not None else 0
        self.move("cost", f"{decision.beneficiary}:{'pending' if held else 'available'}", minor)
        if decision.budgets and claims:
            assert self.left is not None
            self.left -= minor
            self.move(self.account("budget"), self.account("spent"), minor)

    def take_back(self, decision: Decision) -> bool:
        grant = self.known.get(decision.takes_back or "")
        if grant is None or grant["state"] == "waiting":
            if decision not in self.early:
                self.early.append(decision)
            return False
        self.known[decision.id] = {"state": "clawback", "of": decision}
        can = grant["granted"] - grant["taken"] - grant["expired"]
        minor = min(-minor_of(decision), can)
        from_hold = min(minor, grant["pending"])
        self.back(grant, minor, from_hold)
        return True

    def back(self, grant: dict[str, Any], minor: int, from_hold: int) -> None:
        whose = grant["of"].beneficiary
        grant["taken"] += minor
        grant["pending"] -= from_hold
        grant["lot"] -= min(grant["lot"], minor)
        self.move(f"{whose}:pending", "cost", from_hold)
        self.move(f"{whose}:available", "cost", minor - from_hold)

    def release(self, grant: dict[str, Any], minor: int) -> None:
        grant["pending"] -= minor
        self.move(f"{grant['of'].beneficiary}:pending", f"{grant['of'].beneficiary}:available", minor)

    def tick(self, now: int) -> None:
        grants = [grant for grant in self.known.values() if grant["state"] == "posted"]
        for grant in grants:
            if grant["pending"] and grant["of"].available_at_ms <= now:
                self.release(grant, grant["pending"])
        self.early = [one for one in self.early if not self.take_back(one)]
        lots = [g for g in grants if g["lot"] and not g["pending"] and g["of"].expires_at_ms <= now]
        for lot in sorted(lots, key=lambda g: (g["of"].expires_at_ms, g["of"].id)):
            whose, unit = lot["of"].beneficiary, lot["of"].unit
            minor, lot_minor = 0, lot["lot"]
            lot["lot"] = 0
            others = sum(
                g["lot"] - g["pending"]
                for g in grants
                if g["lot"] and (g["of"].beneficiary, g["of"].unit) == (whose, unit)
            )
            minor = min(lot_minor, max(0, self.balances[f"{whose}:available"] - others))
            lot["expired"] += minor
            self.move(f"{whose}:available", "cost", minor)
        while self.queue and self.left is not None and self.left >= minor_of(self.queue[0]):
            self.grant(self.queue.pop(0), now)
