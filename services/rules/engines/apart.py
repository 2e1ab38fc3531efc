"""The second opinion in a process of its own, because the second engine is C code of others.

Whatever it does (a crash, a loop without end, memory without end), the service that asks goes on deciding, and gets an
opinion that is missing, with the reason. Run as a module, it reads a question from its standard input and writes the
opinion to its standard output.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from contracts.events import Event
from services.rules.engines.opinion import Opinion
from services.rules.engines.second import second_opinion
from services.rules.language import RuleSetErrors

TIMEOUT_S: Final = 120.0
MEMORY_BYTES_MAX: Final = 2 * 1024**3


class _Question(msgspec.Struct, array_like=True):
    text: str
    path: str
    events: list[Event]


def second_opinion_apart(
    text: str, path: str, events: Sequence[Event] = (), *, timeout_s: float = TIMEOUT_S, module: str = __name__
) -> Opinion:
    """As `second_opinion`, safely; blocks. A rule set with errors has no opinion: other checks tell of them."""
    question = msgspec.msgpack.encode(_Question(text, path, list(events)))
    command = [sys.executable, "-m", module]
    try:
        done = subprocess.run(command, input=question, capture_output=True, timeout=timeout_s, check=False)  # noqa: S603 - our own interpreter
    except subprocess.TimeoutExpired:
        return Opinion(missing=f"the second engine gave no answer within {timeout_s:g} s")
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1]
        return Opinion(missing=f"the second engine ended with {done.returncode}: {last or 'no word'}")
    return msgspec.msgpack.decode(done.stdout, type=Opinion)


def _main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    question = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Question)
    try:
        opinion = second_opinion(question.text, question.path, question.events)
    except RuleSetErrors as errors:
        opinion = Opinion(missing=f"the rule set has errors: {errors}")
    sys.stdout.buffer.write(msgspec.msgpack.encode(opinion))


if __name__ == "__main__":
    _main()
