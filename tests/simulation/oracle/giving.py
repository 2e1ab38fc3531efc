"""What a reward gives: terms, lookups, percentages, ceilings, groups and limits."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

from tests.simulation.oracle.memory import Moment
from tests.simulation.oracle.reading import Amount, RuleFile, shared
from tests.simulation.oracle.spans import duration, period_start

_LIMIT = re.compile(r"([\d_.]+)(?: ([A-Z]\w*))? (?:per )?(month|quarter|year|customer|ever)")
_PERIODS = ("month", "quarter", "year", "customer", "ever")


class Candidate(NamedTuple):
    reward: dict[str, Any]
    who: str
    amount: Amount


class Giving:
    def __init__(self, file: RuleFile) -> None:
        self.file = file

    def under_terms(self, reward: dict[str, Any], at: Moment) -> dict[str, Any] | None:
        """The reward as it was negotiated; a partner's own terms come after those of the groups. None: it is off."""
        changed = dict(reward)
        terms = self.file.rules.get("terms", [])
        for each in (*(each for each in terms if "group" in each), *(each for each in terms if "partner" in each)):
            is_meant = each.get("partner") == at.memory.partner or each.get("group") in at.memory.profile.get(
                "groups", []
            )
            since, until = each.get("from", "0001-01-01"), each.get("to", "9999-12-31")
            if not is_meant or not date.fromisoformat(since) <= at.day <= date.fromisoformat(until):
                continue
            for name, value in each["set"].items():
                rule, _, part = name.partition(".")
                if rule != reward["id"]:
                    continue
                if value == "off":
                    return None
                if part == "percent":
                    changed["give"] = {**changed["give"], "percent": value}
                elif part == "at_most" and isinstance(changed["give"], dict):
                    changed["give"] = {**changed["give"], "at_most": value}
                else:
                    changed[part] = value
        return {name: value for name, value in changed.items() if value != "none"}

    def candidate(self, reward: dict[str, Any], at: Moment) -> Candidate | None:
        """What the reward would give before groups and limits."""
        terms = self.under_terms(reward, at)
        if terms is None or ("when" in terms and self.file.holds(terms["when"], at) is not True):
            return None
        who = f"partner:{at.memory.partner}"
        if terms.get("to") == "customer":
            who = f"customer:{at.customer}"
        if "to" in terms and at.customer is None:
            return None
        if "for" in terms:
            won = at.memory.first_won.get(at.customer or "")
            if won is None or duration(terms["for"]).before(at.day) >= won:
                return None
        amount = self._amount(terms, at)
        return None if amount is None else Candidate(terms, who, amount)

    def _amount(self, reward: dict[str, Any], at: Moment) -> Amount | None:
        give, share = reward["give"], at.seen["share"]
        at_most = reward.get("at_most")
        if isinstance(give, dict) and "percent" in give:
            at_most = give.get("at_most", at_most)
            base = self.file.value(give["of"], at)
            if base is None:
                return None
            percented = self._percent(give["percent"], shared(base[0], share), at, at.memory.raises[reward["id"]])
            if percented is None:
                return None
            minor, unit = percented, base[1]
        else:
            text = self._looked_up(give, at)
            if text is None:
                return None
            whole, unit = self.file.amount(text)
            minor = shared(whole, share)
        if at_most is not None and at_most != "none":
            minor = min(minor, self.file.amount(at_most)[0])
        return (minor, unit) if minor > 0 else None

    def _percent(self, percent: Any, base: int, at: Moment, raised: Fraction) -> int | None:
        if isinstance(percent, dict) and percent.get("marginal") == "true":
            slices = [(self.file.amount(bound)[0], Fraction(each)) for bound, each in percent["from"].items()]
            ends = [*(bound for bound, _ in slices[1:]), base]
            exact = sum(
                Fraction(max(0, min(base, end) - bound)) * (each + raised)
                for (bound, each), end in zip(slices, ends, strict=True)
            )
            return round(Fraction(exact) / 100)
        text = self._looked_up(percent, at)
        return None if text is None else round(Fraction(base) * (Fraction(text) + raised) / 100)

    def _looked_up(self, given: Any, at: Moment) -> str | None:
        """The text that a lookup comes to, or the text itself."""
        if isinstance(given, str):
            return given
        found: str | None = given.get("otherwise")
        if "rows" in given:
            values = [str(self.file.value(path, at)) for path in given["by"]]
            for row in given["rows"]:
                if all(want in {"any", value} for want, value in zip(row, values, strict=False)):
                    return str(row[-1])
            return found
        value = self.file.value(given["by"], at)
        if "values" in given:
            return given["values"].get(str(value), found) if value is not None else found
        for bound, each in given["from"].items():
            if value is not None and value >= self.file.literal(bound, value):
                found = each
        return found

    def kept_by_groups(self, candidates: list[Candidate]) -> list[Candidate]:
        """Of each group the highest, the first of equals."""
        kept = candidates
        for group in self.file.rules.get("groups", {}).values():
            rivals = [each for each in kept if each.reward["id"] in group["rewards"]]
            if rivals:
                best = max(rivals, key=lambda each: each.amount[0])
                kept = [each for each in kept if each is best or each not in rivals]
        return kept

    def limited(self, candidate: Candidate, at: Moment) -> int | None:
        """What the limits leave of it, and counted; None: nothing."""
        reward, minor = candidate.reward, candidate.amount[0]
        limits = reward.get("limit", [])
        used = at.memory.used

        def place(kind: str, period: str) -> tuple[Any, ...]:
            if period == "customer":
                return reward["id"], kind, period, at.customer
            return reward["id"], kind, period, None if period == "ever" else period_start(at.day, period)

        for limit in [limits] if isinstance(limits, str) else limits:
            number, unit, period = _LIMIT.fullmatch(limit).groups()  # type: ignore[union-attr] # files of ours
            if unit is None:
                if used[place("times", period)] >= int(number):
                    return None
                continue
            minor = min(minor, self.file.amount(f"{number} {unit}")[0] - used[place("minor", period)])
            if minor <= 0:
                return None
        for period in _PERIODS:
            used[place("times", period)] += 1
            used[place("minor", period)] += minor
        return minor
