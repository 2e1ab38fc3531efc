"""How results of tests look: as text, one paragraph per failure with its place, and as plain values for `--json`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from contracts.decisions import Decision, TraceLine
from services.rules.language.words import printable
from services.rules.testing.coverage import Unreached
from services.rules.testing.run import FileResults, Result

_NOTHING = "nothing"


def render_results(tested: FileResults) -> str:
    """What did not pass, each at `file:line`, and the count of all."""
    parts = [_render(result, tested.path) for result in tested.results if result.verdict != "pass"]
    return "\n\n".join([*parts, _summary(tested)]) + "\n"


def _summary(tested: FileResults) -> str:
    if not tested.results:
        return f"{printable(tested.path)}: no tests"
    counts = (
        f"{tested.count('pass')} passed",
        f"{tested.count('fail')} failed",
        f"{tested.count('error')} could not be run",
    )
    return f"{printable(tested.path)}: {', '.join(counts)}"


def _render(result: Result, path: str) -> str:
    return printable_lines([f"{path}:{result.line}: {result.verdict}: {result.name}", *details(result)])


def printable_lines(lines: Sequence[str]) -> str:
    return "\n".join(printable(line) for line in lines)


def details(result: Result) -> list[str]:
    """What a failure or an error is about, line by line."""
    difference = result.difference
    if difference is None:
        return [f"  {result.error}"]
    lines = [
        f"  expected: {', '.join(difference.expected) or _NOTHING}",
        f"  got:      {', '.join(difference.got) or _NOTHING}",
    ]
    if difference.because:
        lines.append(f"  no denial says: {difference.because}")
    wrong = {each.partition(":")[0] for each in (*difference.missing, *difference.unexpected)}
    for decision in result.decisions:
        if not decision.granted or decision.rule in wrong:
            lines += _trace(decision)
    return lines


def _trace(decision: Decision) -> Iterator[str]:
    verdict = "granted" if decision.granted else f"denied: {decision.reason}"
    yield f"  {decision.event_type} ({decision.event_id}): {decision.rule} {verdict}"
    for line in decision.trace:
        yield f"    {line.verdict:7} {line.part}: {line.condition}{_saw(line)}"


def _saw(line: TraceLine) -> str:
    return f" (saw {line.saw})" if line.saw else ""


def render_unreached(found: Sequence[Unreached], path: str) -> str:
    """What no test reached, one line each."""
    if not found:
        return f"{printable(path)}: the tests reach every rule and every branch\n"
    lines = [f"{path}:{each.line}: {each.kind} {_named(each)}: {each.why}" for each in found]
    return printable_lines([*lines, f"{path}: {len(found)} not reached"]) + "\n"


def _named(each: Unreached) -> str:
    return f"{each.rule}, {each.what}" if each.what else each.rule


def report_as_json(tested: FileResults, found: Sequence[Unreached] | None = None) -> dict[str, Any]:
    """Everything, for programs; `unreached` only when it was asked for."""
    report: dict[str, Any] = {
        "path": tested.path,
        "passed": tested.count("pass"),
        "failed": tested.count("fail"),
        "errors": tested.count("error"),
        "tests": [_result_as_json(result) for result in tested.results],
    }
    if found is not None:
        report["unreached"] = [
            {"kind": each.kind, "rule": each.rule, "what": each.what, "why": each.why, "line": each.line}
            for each in found
        ]
    return report


def _result_as_json(result: Result) -> dict[str, Any]:
    told: dict[str, Any] = {"name": result.name, "line": result.line, "verdict": result.verdict}
    difference = result.difference
    if difference is None:
        return told | {"error": result.error}
    told |= {"expected": difference.expected, "got": difference.got}
    if not difference.is_none:
        told |= {"missing": difference.missing, "unexpected": difference.unexpected}
        told |= {"because_not_found": difference.because} if difference.because else {}
        told["denials"] = [
            {"event": each.event_id, "rule": each.rule, "reason": each.reason, "trace": each.trace}
            for each in result.decisions
            if not each.granted
        ]
    return told
