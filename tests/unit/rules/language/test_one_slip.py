"""One slip of the fingers in a correct rule file leads to one problem, at the slip, and to no wrong advice elsewhere.

Method: every word of a file is a place for a slip; a seeded choice of them is made, one at a time, and the file is
linted. Whoever reads the answer must be led to that line. Of other lines only those may be told that name what is
missing now, because it was defined there, or what it is called instead. Words that mean nothing to the language (names
of tests, products, ids that nothing refers to) may go unnoticed; the rest may not.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from contracts.events import EVENT_TYPES
from services.rules.language import LocatedProblem, lint_text, read_rule_set
from services.rules.language.checks.unknown_operator import OPERATORS
from services.rules.language.paths import CATALOGUE
from services.rules.language.words import is_slip

ROOT = Path(__file__).parents[4]
FILES = (
    ROOT / "examples/saas-partners/programme.yaml",
    ROOT / "examples/crm-pipeline/programme.yaml",
    Path(__file__).parent / "whole_language.yaml",
)
SLIPS_PER_FILE = 100
_WORD = re.compile(r"(?<!\w)[A-Za-z_][A-Za-z0-9_]*(?:[.-][A-Za-z0-9_]+)*|[<>=!]=?")
_FREE_LINE = re.compile(r"\s*(?:- )?(?:name|because|programme):")


@dataclass(frozen=True)
class Place:
    """A word of a file: on line `line` (from 0), from column `start` on."""

    line: int
    start: int
    word: str


def places_of(text: str) -> Iterator[Place]:
    for number, line in enumerate(text.split("\n")):
        for found in _WORD.finditer(re.sub(r"(^|\s)#.*", "", line)):
            yield Place(number, found.start(), found.group())


def slip_in(word: str, randomly: random.Random) -> str:
    """The word with two letters swapped, one twice, or one left out."""
    if not word[0].isalpha():
        return {">=": "=>", "<=": "=<", "==": "=", "!=": "=!"}.get(word, word * 3)
    at = randomly.randrange(max(len(word) - 1, 1))
    swapped = word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]
    choices = [swapped, word[:at] + word[at] + word[at:], word[:at] + word[at + 1 :]]
    return randomly.choice([each for each in choices if each not in ("", word)])


class _Named(Protocol):
    @property
    def id(self) -> str: ...


class Meaning:
    """Which words of a file the language knows: keys, paths, events, operators, and names that are used elsewhere."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        rules = read_rule_set(text, path="")
        named: tuple[_Named, ...] = (
            *rules.metrics,
            *rules.tiers,
            *rules.rewards,
            *rules.milestones,
            *rules.groups,
            *rules.units,
        )
        self._names = {each.id for each in named}
        told = [each.word for each in places_of(text) if not _FREE_LINE.match(self._lines[each.line])]
        self._counts = Counter(told)

    def has(self, place: Place) -> bool:
        line = self._lines[place.line]
        if _FREE_LINE.match(line):
            return False
        if place.word in self._names:
            return self._counts[place.word] > 1
        if place.word in CATALOGUE or place.word in EVENT_TYPES or place.word in OPERATORS:
            return True
        is_key = re.match(r":(\s|$)", line[place.start + len(place.word) :]) is not None
        is_part = line[: place.start].endswith(":") or place.word.startswith("attributes.")
        return is_key and place.word.islower() and not is_part


def problems_after(place: Place, slip: str, text: str) -> list[LocatedProblem]:
    lines = text.split("\n")
    line = lines[place.line]
    lines[place.line] = line[: place.start] + slip + line[place.start + len(place.word) :]
    return lint_text("\n".join(lines), "one-slip.yaml")


@pytest.mark.parametrize("file", FILES, ids=[f"{path.parent.name}/{path.name}" for path in FILES])
def test_one_slip_is_told_once_where_it_was_made(file: Path, seed: int) -> None:
    text = file.read_text(encoding="utf-8")
    assert lint_text(text, "one-slip.yaml") == []
    randomly = random.Random(f"{seed} {file.name}")
    places = list(places_of(text))
    meaning = Meaning(text)
    for place in randomly.sample(places, min(SLIPS_PER_FILE, len(places))):
        slip = slip_in(place.word, randomly)
        problems = problems_after(place, slip, text)
        told = [f"{each.line}: {each.code}: {each.message} ({each.help})" for each in problems]
        where = f"{file}:{place.line + 1}: {place.word} as {slip}: {told}"
        here = [each for each in problems if each.line == place.line + 1]
        assert len(here) <= 1, f"told more than once: {where}"
        for each in problems:
            assert each in here or names_it(place.word, slip, each), f"misleading: {where}"
        assert problems or not meaning.has(place), f"not noticed: {where}"


def names_it(word: str, slip: str, problem: LocatedProblem) -> bool:
    """Whether a problem of another line says what is missing now, or what has no counterpart."""
    said = f"{problem.message} {problem.help}"
    return any(re.search(rf"(?<![\w-]){re.escape(each)}(?![\w-])", said) for each in (word, slip))


SLIPS = {
    "swapped": ("tpye", "type", True),
    "one letter twice": ("typee", "type", True),
    "one letter missing": ("tpe", "type", True),
    "a wrong one": ("tyne", "type", True),
    "two in a short word": ("yptee", "type", False),
    "two in a long word": ("otehrwies", "otherwise", True),
    "three in a long word": ("counters", "contests", False),
    "another word": ("amount", "covers", False),
    "much longer": ("typewriter", "type", False),
}


@pytest.mark.parametrize(("word", "meant", "is_one"), SLIPS.values(), ids=SLIPS)
def test_only_what_is_nearly_the_same_counts_as_a_slip(word: str, meant: str, is_one: bool) -> None:
    assert is_slip(word, meant) is is_one
