"""What bounds the rewards of random rule sets: limits, hold, for, groups, terms, budgets and units that expire."""

from __future__ import annotations

import random

_DURATIONS = ("1 days", "20 days", "45 days", "1 months", "2 months", "1 years")
_HOLDS = (*_DURATIONS, "31 days", "11 months")
_PERIODS = ("month", "quarter", "year", "customer")


def bound(draw: random.Random, lines: list[str]) -> list[str]:
    """The lines of a rule set with bounds put in; two of five get none."""
    if draw.random() < 0.4:
        return lines
    written: list[str] = []
    rewards: dict[str, str] = {}
    for line in lines:
        written.append(line)
        if line.startswith("  - id: r"):
            reward = line.split()[-1]
        if line.startswith("    give:"):
            rewards[reward] = line
            unit = _unit(line)
            parts = {"limit": _limits(draw, unit), "for": draw.choice(_DURATIONS), "hold": draw.choice(_HOLDS)}
            for part, text in parts.items():
                if draw.random() < 0.4:
                    written.append(f"    {part}: {text}")
    if draw.random() < 0.5:
        written[written.index("  POINTS: {}")] = "  POINTS: {expires_after: 3 months}"
    if draw.random() < 0.5:
        written.append("lock_terms: lead")
    return [*written, *_groups(draw, rewards), *_terms(draw, rewards), *_budgets(draw, rewards)]


def _unit(give: str) -> str:
    return "POINTS" if "POINTS" in give else "USD"


def _limits(draw: random.Random, unit: str) -> str:
    limits = []
    for _ in range(draw.randint(1, 3)):
        much = draw.choice((str(draw.randint(1, 4)), f"{draw.choice((1, 20, 90, 120))} {unit}"))
        per = draw.choice(("ever", *_PERIODS))
        limits.append(f"{much} ever" if per == "ever" else f"{much} per {per}")
    return limits[0] if len(limits) == 1 else f"[{', '.join(limits)}]"


def _groups(draw: random.Random, rewards: dict[str, str]) -> list[str]:
    dollars = [id for id, give in rewards.items() if _unit(give) == "USD"]
    if len(dollars) < 2 or draw.random() < 0.4:
        return []
    picked = draw.sample(dollars, draw.randint(2, min(3, len(dollars))))
    return ["groups:", f"  best: {{rewards: [{', '.join(picked)}], pick: highest}}"]


def _terms(draw: random.Random, rewards: dict[str, str]) -> list[str]:
    if draw.random() < 0.4:
        return []
    written = ["terms:"]
    for _ in range(draw.randint(1, 4)):
        written.append(f"  - {draw.choice(('partner: p0', 'partner: p1', 'group: pilots', 'group: old'))}")
        if draw.random() < 0.5:
            first, last = draw.choice((("2024-03-10", "2024-03-20"), ("2024-03-31", "2024-04-30")))
            days = draw.choice((("from", first), ("to", last), ("from", first, "to", last)))
            written += [f"    {days[at]}: {days[at + 1]}" for at in range(0, len(days), 2)]
        written.append("    set:")
        sets = {}
        for _ in range(draw.randint(1, 3)):
            reward, give = draw.choice(list(rewards.items()))
            unit = _unit(give)
            values = {
                "": "off",
                ".give": draw.choice((f"3 {unit}", f"4_000 {unit}")),
                ".percent": draw.choice(("12", "0.5")),
                ".at_most": draw.choice(("none", f"15 {unit}")),
                ".limit": draw.choice(("none", _limits(draw, unit))),
                ".hold": draw.choice(("none", "7 days")),
                ".for": draw.choice(("none", "10 days")),
            }
            part = draw.choice([part for part in values if part != ".percent" or "percent:" in give])
            sets[reward + part] = values[part]
        written += [f"      {name}: {value}" for name, value in sets.items()]
    return written


def _budgets(draw: random.Random, rewards: dict[str, str]) -> list[str]:
    if draw.random() < 0.6:
        return []
    written = ["budgets:"]
    for number in range(draw.randint(1, 2)):
        per = draw.choice(("month", "quarter", "year", "ever"))
        covers = [id for id, give in rewards.items() if _unit(give) == "USD"]
        named = f", covers: [{', '.join(draw.sample(covers, 1))}]" if covers and draw.random() < 0.5 else ""
        written.append(f"  - {{id: b{number}, amount: 1_000 USD, per: {per}{named}, when_spent: hold}}")
    return written
