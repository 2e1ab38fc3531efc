"""The sentences of each language, one file per language: data, so that translators need no Python.

A text that is filled in is never searched for braces itself, so a name such as `{amount}` stays as it is.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from decimal import Decimal
from importlib.resources import files
from typing import Final

import msgspec
import yaml
from babel import Locale

LANGUAGES: Final = ("en", "pt-BR", "id", "pl")
_PLACE: Final = re.compile(r"\{(\w+)\}")


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language's file.

    Attributes:
        messages: Sentences and parts of them; `{name}` is filled in.
        plurals: What is counted, by the plural forms that CLDR gives the language.
        units: As `plurals`, for units of a programme's own that have a word in the language.
        paths: What rules can read, as the subject of a condition.
        bases: Amounts, as what a percentage is taken of.
        events: Event types, in the plural.
    """

    messages: dict[str, str]
    plurals: dict[str, dict[str, str]]
    units: dict[str, dict[str, str]]
    paths: dict[str, str]
    bases: dict[str, str]
    events: dict[str, str]


@functools.cache
def catalogue_of(language: str) -> Catalogue:
    text = files("services.rules.words").joinpath("languages", f"{language}.yaml").read_text(encoding="utf-8")
    # The base loader reads all as text: `yes` and `no` are keys here.
    return msgspec.convert(yaml.load(text, Loader=yaml.BaseLoader), Catalogue)  # noqa: S506 - it makes texts only


@functools.cache
def locale_of(language: str) -> Locale:
    return Locale.parse(language, sep="-")


def fill(template: str, values: Mapping[str, str]) -> str:
    """The sentence with its places filled in; a missing one is a KeyError."""
    return _PLACE.sub(lambda place: values[place[1]], template)


def places_of(template: str) -> set[str]:
    """The names that the sentence has a place for."""
    return set(_PLACE.findall(template))


def plural(language: str, forms: Mapping[str, str], number: Decimal, shown: str) -> str:
    """The form that the language has for the number, with the number as `shown` in it."""
    form = locale_of(language).plural_form(number.normalize() if number % 1 else int(number))
    return fill(forms.get(form, forms["other"]), {"n": shown})
