"""Words in messages: quoting what a stranger wrote, and finding what they may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice
from typing import Final

QUOTED_LENGTH_MAX: Final = 60
"""Longer texts are cut in messages."""
GUESSED_LENGTH_MAX: Final = 64
"""For longer names nothing is guessed: comparing costs the square of the length."""
COMPARED_MAX: Final = 640
"""A name is compared with so many known ones at most; there are about 600 timezones."""
_ALIKE_MIN: Final = 0.6
_SHORT_LENGTH_MAX: Final = 4


def quoted(text: str) -> str:
    """`"text"`, cut and with everything unprintable made visible, so that no file can write to a terminal."""
    cut = text if len(text) <= QUOTED_LENGTH_MAX else text[: QUOTED_LENGTH_MAX - 1] + "…"
    return '"' + printable(cut).replace('"', "'") + '"'


def printable(text: str) -> str:
    """The text with control, format and direction characters shown as `·`; one character stays one character."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "·" for each in text)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, or None when none is much like it."""
    if len(word) > GUESSED_LENGTH_MAX:
        return None
    words = list(islice(known, COMPARED_MAX))
    letters = sorted(word)
    swapped = next((each for each in words if len(each) == len(word) and sorted(each) == letters), None)
    if swapped:
        return swapped
    found = difflib.get_close_matches(word, words, n=1, cutoff=_ALIKE_MIN)
    return found[0] if found else None


def is_slip(word: str, meant: str) -> bool:
    """Whether one is the other but for a slip: a letter too many, missing, wrong or swapped; two in longer words.

    Stricter than `nearest`, because a key that is a slip is read as the key that was meant.
    """
    slips_max = 1 if len(meant) <= _SHORT_LENGTH_MAX else 2
    if abs(len(word) - len(meant)) > slips_max:
        return False
    # Optimal string alignment, row by row: what it takes to make the beginning of one out of that of the other.
    before: list[int] = []
    row = list(range(len(meant) + 1))
    for i, letter in enumerate(word, 1):
        oldest, before, row = before, row, [i]
        for j, other in enumerate(meant, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == meant[j - 2] and word[i - 2] == other:
                cost = min(cost, oldest[j - 2] + 1)
            row.append(cost)
    return row[-1] <= slips_max


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """`did you mean X?`, or what to say when nothing is near."""
    guess = nearest(word, known)
    return f"did you mean {guess}?" if guess else otherwise


def with_article(noun: str) -> str:
    """`a reward`, `an event`."""
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


def listed(words: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    items = list(words)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"
