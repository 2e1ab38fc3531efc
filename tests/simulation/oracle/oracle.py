"""One event after the other, in the order of docs/rules.md#order: what each grants."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.simulation.oracle.giving import Giving
from tests.simulation.oracle.memory import Given, Grant, Memory, Moment, Taken
from tests.simulation.oracle.reading import RuleFile, listed
from tests.simulation.oracle.spans import REVIEWS, duration, reviews_between

_STATUS = {"partner.registered": "registered", "partner.approved": "active", "partner.suspended": "suspended"}
_SECTIONS = ("customer", "lead", "deal", "survey")
_QUALIFIED = "lead.qualified"


class Oracle:
    """Give it every event of a programme, as CloudEvents in plain dicts, in the order of the log."""

    def __init__(self, text: str) -> None:
        self._file = RuleFile(text)
        self._rules = self._file.rules
        self._giving = Giving(self._file)
        self._zone = ZoneInfo(self._rules["timezone"])
        self._tiers = [tier["id"] for tier in self._rules["tiers"]]
        self._partners: dict[str, Memory] = {}

    def event(self, event: dict[str, Any]) -> list[Grant]:
        """What the event grants, in order."""
        data, what = event["data"], event["type"]
        memory = self._partners.setdefault(data["partner"], Memory(data["partner"], self._tiers[0]))
        identity = event["source"], event["id"]
        if identity in memory.ids:
            return []
        memory.ids.add(identity)
        if what.startswith("partner."):
            memory.profile.update({"status": _STATUS[what], **data.get("profile", {})})
        if not _is_news(memory, what, data):
            return []
        day = datetime.fromisoformat(event["time"]).astimezone(self._zone).date()
        seen = _seen(event, memory)
        granted = self._clock_moves(memory, day, seen)
        at = Moment(memory, memory.tier, day, seen)
        blocked = self._is_blocked(what, at)
        happens = [what]
        if what in {"lead.registered", _QUALIFIED}:
            is_qualified = not blocked and self._qualifies(what, data["lead"]["id"], at)
            if is_qualified:
                granted.append(("qualified.lead", f"partner:{memory.partner}", None, None))
                happens = list(dict.fromkeys([what, _QUALIFIED]))
            blocked = blocked or (what == _QUALIFIED and not is_qualified)
        if not blocked:
            if what == "deal.won" and at.customer is not None:
                memory.first_won.setdefault(at.customer, day)
            granted += self._rewards(happens, at)
        if what == "deal.won":
            memory.deals[data["deal"]["id"]].minor = data["deal"]["amount"]["minor"]
        if what == "deal.refunded":
            granted += _taken_back(memory, data["deal"], day)
        before = self._milestone_values(at)
        if not blocked:
            memory.taken += [Taken(each, day, seen) for each in happens]
        granted += self._milestones(before, at)
        return granted + self._tier_raised(Moment(memory, memory.tier, memory.clock or day, seen))

    def _clock_moves(self, memory: Memory, day: date, seen: dict[str, Any]) -> list[Grant]:
        """The clock never goes back; at each review that it passes the tier is what the day before says."""
        clock, memory.clock = memory.clock, max(day, memory.clock or day)
        period = REVIEWS.get(self._rules.get("tier_review", "never"))
        if clock is None or period is None:
            return []
        granted: list[Grant] = []
        for review in reviews_between(clock, day, period):
            nobody = {name: value for name, value in seen.items() if name != "customer.id"}
            at = Moment(memory, memory.tier, review - timedelta(days=1), nobody)
            held = [tier["id"] for tier in self._rules["tiers"] if "when" in tier and self._holds(tier["when"], at)]
            tier = held[-1] if held else self._tiers[0]
            if tier != memory.tier:
                memory.tier = tier
                granted.append(("tier", f"partner:{memory.partner}", None, tier))
        return granted

    def _holds(self, condition: Any, at: Moment) -> bool:
        return self._file.holds(condition, at) is True

    def _is_blocked(self, what: str, at: Moment) -> bool:
        eligible, qualified = self._rules.get("eligible", {}), self._rules.get("qualified", {})
        asked = []
        if what != "deal.refunded":
            asked.append(eligible.get("partner", []))
            if what.startswith(("lead.", "deal.")) or at.customer is not None:
                asked.append(eligible.get("customer", []))
        if what in {"deal.won", "deal.renewed"}:
            asked.append(qualified.get("deal", []))
        return not all(self._holds(each, at) for each in asked)

    def _qualifies(self, what: str, lead: str, at: Moment) -> bool:
        """Once, by a source's word or by the criteria."""
        if (_QUALIFIED, lead) in at.memory.happened:
            return False
        qualified = self._rules.get("qualified", {})
        by_word = what == _QUALIFIED and qualified.get("crm") != "ignored"
        if not by_word and not ("lead" in qualified and self._holds(qualified["lead"], at)):
            return False
        at.memory.happened.add((_QUALIFIED, lead))
        return True

    def _rewards(self, happens: list[str], at: Moment) -> list[Grant]:
        asked = [each for each in self._rules["rewards"] if set(listed(each["on"])) & set(happens)]
        candidates = [found for each in asked if (found := self._giving.candidate(each, at)) is not None]
        granted: list[Grant] = []
        for each in self._giving.kept_by_groups(candidates):
            minor = self._giving.limited(each, at)
            if minor is None:
                continue
            grant = each.reward["id"], each.who, minor, each.amount[1]
            granted.append(grant)
            if "clawback" in each.reward and "deal.id" in at.seen:
                given = Given(grant, duration(each.reward["clawback"]).after(at.day))
                at.memory.deals[at.seen["deal.id"]].given.append(given)
        return granted

    def _milestone_values(self, at: Moment) -> dict[str, int]:
        return {each["metric"]: self._file.ever(each["metric"], at) for each in self._rules.get("milestones", [])}

    def _milestones(self, before: dict[str, int], at: Moment) -> list[Grant]:
        granted: list[Grant] = []
        after = self._milestone_values(at)
        for each in self._rules.get("milestones", []):
            low, high = before[each["metric"]], after[each["metric"]]
            if "at" in each:
                crossed = [0] if low < self._mark(each["at"]) <= high else []
            else:
                step = self._mark(each["every"])
                crossed = list(range(low // step + 1, high // step + 1))
            for place in crossed:
                if (each["id"], place) in at.memory.reached:
                    continue
                at.memory.reached.add((each["id"], place))
                minor, unit = self._file.amount(each["give"]) if "give" in each else (None, None)
                granted.append((each["id"], f"partner:{at.memory.partner}", minor, unit))
                if "raise" in each:
                    at.memory.raises[each["raise"]["rule"]] += Fraction(each["raise"]["by"])
        return granted

    def _mark(self, text: str) -> int:
        return self._file.amount(text)[0] if " " in text else int(text.replace("_", ""))

    def _tier_raised(self, at: Moment) -> list[Grant]:
        for tier in reversed(self._rules["tiers"]):
            if self._tiers.index(tier["id"]) <= self._tiers.index(at.tier):
                return []
            if "when" in tier and self._holds(tier["when"], at):
                at.memory.tier = tier["id"]
                return [("tier", f"partner:{at.memory.partner}", None, tier["id"])]
        return []


def _is_news(memory: Memory, what: str, data: dict[str, Any]) -> bool:
    """Business facts happen once; that a lead qualified is noted where it is decided."""
    if what == _QUALIFIED:
        return (what, data["lead"]["id"]) not in memory.happened
    if what == "deal.refunded" and ("deal.won", data["deal"]["id"]) not in memory.happened:
        return False
    about = data.get("deal") or data.get("lead")
    if about is None:
        return True
    which = data.get("period") or data.get("refund_id")
    fact: tuple[str, ...] = (what, about["id"], which) if which else (what, about["id"])
    if fact in memory.happened:
        return False
    memory.happened.add(fact)
    return True


def _seen(event: dict[str, Any], memory: Memory) -> dict[str, Any]:
    """What conditions see at which path; amounts as minor units and currency."""
    data = event["data"]
    seen: dict[str, Any] = {"event.type": event["type"], "share": data.get("share_ppm", 1_000_000)}
    for section in _SECTIONS:
        for name, value in data.get(section, {}).items():
            seen[f"{section}.{name}"] = (value["minor"], value["currency"]) if isinstance(value, dict) else value
    for name, value in memory.profile.items():
        seen[f"partner.{name}"] = value
    return seen


def _taken_back(memory: Memory, refund: dict[str, Any], day: date) -> list[Grant]:
    """The same share of everything given for the deal, as long as it can be taken back."""
    deal = memory.deals[refund["id"]]
    deal.refunded = min(deal.minor, deal.refunded + refund["amount"]["minor"])
    granted: list[Grant] = []
    for each in deal.given:
        rule, who, minor, unit = each.grant
        taken = round(Fraction((minor or 0) * deal.refunded, deal.minor)) - each.taken
        if day <= each.until and taken > 0:
            each.taken += taken
            granted.append((rule, who, -taken, unit))
    return granted
