"""Words, dates and amounts of a paper's language.

A language we lack falls back to its base language, then to English: `pt-PT`, `pt-BR`; `xx`, `en`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml
from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal

from contracts.errors import PermanentError, Problem

LANGUAGES: Final = ("en", "id", "pl", "pt-BR")
LANGUAGE_DEFAULT: Final = "en"


class Speaker:
    """One language."""

    def __init__(self, wanted: str | None) -> None:
        self.language = language_of(wanted)
        self._locale = Locale.parse(self.language, sep="-")
        self._words = _words(self.language)

    def say(self, word: str, **filled: str) -> str:
        """A sentence. Raises KeyError for one that is not in `words/`."""
        text = self._words[word]
        return str(text).format_map(filled) if filled else str(text)

    def stage(self, stage: str) -> str:
        """What a stage of a transfer is called; one that has no word, as the ledger calls it."""
        stages: Mapping[str, str] = self._words["stages"]
        return stages.get(stage, stage.replace("_", " "))

    def amount(self, minor: int, decimals: int) -> str:
        """`105400, 2` as `1,054.00`, as its readers write it; without the unit."""
        pattern = "#,##0." + "0" * decimals if decimals else "#,##0"
        return format_decimal(Decimal(minor).scaleb(-decimals), pattern, locale=self._locale)

    def rate(self, rate_ppm: int) -> str:
        """`230000` as `23`."""
        return format_decimal(Decimal(rate_ppm).scaleb(-4), "#,##0.####", locale=self._locale)

    def day(self, day: str) -> str:
        """`2026-11-03` as `November 3, 2026`."""
        return format_date(date.fromisoformat(day), "long", locale=self._locale)

    def month(self, month: str) -> str:
        """`2026-11` as `November 2026`."""
        return format_skeleton("yMMMM", date.fromisoformat(f"{month}-01"), locale=self._locale)

    def country(self, code: str) -> str:
        """`PL` as `Poland`; a code that nobody knows, as it is."""
        return str(self._locale.territories.get(code, code))


def language_of(wanted: str | None) -> str:
    """The closest of LANGUAGES."""
    tag = (wanted or "").replace("_", "-").lower()
    base = tag.partition("-")[0]
    for language in LANGUAGES:
        if language.lower() == tag:
            return language
    return next((one for one in LANGUAGES if one.partition("-")[0] == base), LANGUAGE_DEFAULT)


def checked_language(wanted: str) -> str:
    """The language itself. Raises PermanentError (`language-unknown`) for one that there are no papers in."""
    if wanted not in LANGUAGES:
        message = f"there are no papers in {wanted!r}"
        raise PermanentError(Problem(code="language-unknown", message=message, help=f"one of {', '.join(LANGUAGES)}"))
    return wanted


@cache
def _words(language: str) -> dict[str, Any]:
    source = files("services.rewards.papers").joinpath("words", f"{language}.yaml").read_text(encoding="utf-8")
    words: dict[str, Any] = yaml.safe_load(source)
    return words
