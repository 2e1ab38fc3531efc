"""A rule set played on events: what is wrong with either, or everything that was decided.

Pure; the fold is the one that decides live events. Events in the shorthand are played as `rules test` plays them: what
`eligible` and `qualified` ask and the events do not say counts as met, and its trace says "assumed". CloudEvents are
played as they are, for any number of partners, from the file's own `effective_from` on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from contracts.decisions import Decision
from contracts.errors import PermanentError, Problem
from contracts.events import BROADCAST_TYPES, Event, EventData, RulesetActivated, format_time
from contracts.ruleset import RuleSet
from services.rules.amounts.measures import describe
from services.rules.clock.calendar import WindowStart, Zone
from services.rules.compile import compile_rule_set
from services.rules.deciding.vocabulary import Vocabulary
from services.rules.evaluate import evaluate
from services.rules.fold import Fold
from services.rules.language import LocatedProblem, RuleSetErrors, digest_of, lint_text, problems_as_json, read_rule_set
from services.rules.language.story import read_story
from services.rules.playground.pasted import PATH, is_json, read_cloud_events
from services.rules.states.series import series_id
from services.rules.states.state import PartnerState
from services.rules.testing import report_as_json, run_tests
from services.rules.testing.assumed import Assumptions, unmentioned
from services.rules.testing.seed import learn, seeded_state
from services.rules.testing.shorthand import Shorthand
from services.rules.testing.story import Story

RULES_PATH: Final = "programme.yaml"
EVENTS_MAX: Final = 1_000
DECISIONS_MAX: Final = 5_000
"""Told in one answer; beyond it, playing ends and says so."""
_REVISION: Final = 1


class Step(NamedTuple):
    """One event and what came of it."""

    event: Event
    decisions: list[Decision]
    problem: Problem | None
    tier: str | None


def play(rules_text: str, events_text: str, *, is_over: Callable[[], bool]) -> dict[str, Any]:
    """Lint, run the tests inside of the file, and play the events.

    Args:
        rules_text: A rule file.
        events_text: CloudEvents or the shorthand; blank: only lint and tests.
        is_over: Asked between events; true ends it with `cut_short`.
    """
    problems = lint_text(rules_text, RULES_PATH)
    told: dict[str, Any] = {"problems": problems_as_json(problems), "event_problems": []}
    told |= {"steps": [], "partners": [], "cut_short": ""}
    if any(each.severity == "error" for each in problems):
        return told
    rules = read_rule_set(rules_text, path=RULES_PATH)
    told["tests"] = report_as_json(run_tests(rules_text, RULES_PATH))
    if not events_text.strip():
        return told
    states: dict[str, PartnerState] = {}
    try:
        steps = _steps(rules, rules_text, events_text, states)
        told |= _played(steps, is_over)
    except RuleSetErrors as errors:
        told["event_problems"] = problems_as_json(errors.problems)
    except PermanentError as error:
        located = LocatedProblem(error.problem.code, error.problem.message, 1, 1, 1, error.problem.help, path=PATH)
        told["event_problems"] = problems_as_json([located])
    told["partners"] = [_partner(rules, states[name]) for name in sorted(states)]
    return told


def _played(steps: Iterator[Step], is_over: Callable[[], bool]) -> dict[str, Any]:
    told: list[dict[str, Any]] = []
    count = 0
    cut_short = ""
    for step in steps:
        told.append(_step(step))
        count += len(step.decisions)
        if is_over():
            cut_short = f"time was up after {len(told)} events"
        elif count >= DECISIONS_MAX:
            cut_short = f"{DECISIONS_MAX} decisions were made by {len(told)} events, and more are not shown"
        if cut_short:
            break
    return {"steps": told, "cut_short": cut_short}


def _steps(rules: RuleSet, rules_text: str, events_text: str, states: dict[str, PartnerState]) -> Iterator[Step]:
    if is_json(events_text):
        pasted = read_cloud_events(events_text, programme=rules.programme, events_max=EVENTS_MAX)
        if pasted.problems:
            raise RuleSetErrors(pasted.problems)
        return _fold(rules, rules_text, pasted.events, states)
    return _tell(rules_text, events_text, states)


def _fold(rules: RuleSet, rules_text: str, events: list[Event], states: dict[str, PartnerState]) -> Iterator[Step]:
    """As the service does it: the revision enters the log, and then the events come."""
    fold = Fold(0)
    since_ms = -(2**62) if rules.effective_from_ms is None else rules.effective_from_ms
    entering = RulesetActivated(
        revision=_REVISION, digest=digest_of(rules_text), effective_from_ms=since_ms, source_text=rules_text
    )
    data = EventData(programme=rules.programme, ruleset=entering)
    history = [Event("ruleset.activated", "playground", "ruleset", 0, data), *events]
    fold.load(dict.fromkeys(fold.missing_keys(history)))
    fold.fold(history[:1])
    for event in events:
        result = fold.fold((event,))
        partner = event.data.partner
        state = None
        if partner is not None and event.type not in BROADCAST_TYPES:
            state = fold.partner(event.data.programme, partner)
        if state is not None and event.data.programme == rules.programme:
            states[state.partner] = state
        problem = result.rejected[0][1] if result.rejected else None
        yield Step(event, result.decisions, problem, None if state is None else state.tier)


def _tell(rules_text: str, events_text: str, states: dict[str, PartnerState]) -> Iterator[Step]:
    """As `rules test` does it."""
    rules, test = read_story(rules_text, events_text, path=PATH)
    if len(test.events) > EVENTS_MAX:
        message = f"at most {EVENTS_MAX} events are played at once"
        raise RuleSetErrors([LocatedProblem("too-many-events", message, 1, 1, 1, path=PATH)])
    shorthand = Shorthand(rules)
    assumptions = Assumptions(rules, unmentioned(rules, test))
    revision = compile_rule_set(assumptions.rules, revision=_REVISION)
    story = Story(rules, test, shorthand)
    happenings = story.happenings()
    state = states[story.partner] = seeded_state(rules, test, story.partner, happenings, shorthand)
    for happening in happenings:
        if happening.profile is not None:
            learn(state, happening.profile)
        try:
            state, made = evaluate(state, happening.event, revision)
        except PermanentError as error:
            yield Step(happening.event, [], error.problem, state.tier)
            continue
        yield Step(happening.event, [assumptions.marked(each) for each in made], None, state.tier)


def _step(step: Step) -> dict[str, Any]:
    event = step.event
    return {
        "event": {
            "type": event.type,
            "id": event.id,
            "source": event.source,
            "time": format_time(event.time_ms),
            "partner": event.data.partner,
        },
        "problem": None if step.problem is None else str(step.problem),
        "tier": step.tier,
        "decisions": [_decision(each) for each in step.decisions],
    }


def _decision(decision: Decision) -> dict[str, Any]:
    told = msgspec.structs.asdict(decision)
    told["trace"] = [msgspec.structs.asdict(line) for line in decision.trace]
    told["budgets"] = [msgspec.structs.asdict(claim) for claim in decision.budgets]
    for name in ("available_at", "expires_at"):
        at_ms = told[f"{name}_ms"]
        told[name] = None if at_ms is None else format_time(at_ms)
    return told


def _partner(rules: RuleSet, state: PartnerState) -> dict[str, Any]:
    """Where the partner stands in the end: the tier, and every metric on the day of the newest event."""
    vocabulary = Vocabulary(rules)
    day = Zone(rules.timezone).day_of(0) if state.clock_day is None else state.clock_day
    metrics = []
    for metric in rules.metrics:
        start = WindowStart(metric.window)[day]
        holders = {"": state.series}
        if metric.per_customer:
            holders = {name: each.series for name, each in state.customers.items()}
        for customer, holder in holders.items():
            series = holder.get(series_id(metric))
            value = None if series is None else series.between(start, day)
            if value is not None:
                words = describe(value, vocabulary.kind(metric.id), vocabulary.decimals)
                metrics.append({"metric": metric.id, "customer": customer, "value": words})
    return {"partner": state.partner, "tier": state.tier, "metrics": metrics}
