"""What mails say, in each language: `templates/<language>.yaml`, its sentences compiled when they are first used.

The frame of a mail is the same everywhere (`mail.txt.j2`, `mail.mjml.j2`): greeting, opening, a table of facts,
closing, footer. A language only has sentences, so the text part and the HTML part cannot say different things, and a
new language is one file. Numbers and days are written as its readers write them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Final, NamedTuple

import jinja2
import msgspec
import yaml
from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal
from markupsafe import Markup

from contracts.money import assumed_decimals
from services.notify.messages import Details, Kind

LANGUAGE_DEFAULT: Final = "en"
_BUDGET_IS_SPENT: Final = re.compile(r"budget (\S+?)(?: of (\S+?))? is spent(?:, others wait for it)?")
_NOT_IN_TIME: Final = "not fulfilled in time"


class Sentences(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mail: its subject, and paragraphs before and after the table of facts."""

    subject: str
    opening: tuple[str, ...]
    closing: tuple[str, ...] = ()


class Language(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of `templates/`; its fields are explained in `en.yaml`."""

    greeting: str
    greeting_without_name: str
    footer: str
    rows: dict[str, str]
    budget_is_spent: str
    not_in_time: str
    mails: dict[Kind, Sentences]


class Written(NamedTuple):
    """A mail in words. In HTML they are escaped already."""

    greeting: str
    opening: Sequence[str]
    closing: Sequence[str]
    footer: str


class Texts:
    """The sentences of all languages. Raises jinja2.TemplateError for one that cannot be written."""

    def __init__(self) -> None:
        self.languages = {name: _read(name) for name in _names()}
        self._text = _environment(is_html=False)
        self._html = _environment(is_html=True)
        self._compiled: dict[tuple[bool, str], jinja2.Template] = {}

    def language_of(self, wanted: str | None) -> str:
        """The closest language there is: `pt-BR`, then `pt`, then English."""
        by_lower = {language.lower(): language for language in self.languages}
        tag = (wanted or "").replace("_", "-").lower()
        base = tag.partition("-")[0]
        alike = next((name for lower, name in sorted(by_lower.items()) if lower.partition("-")[0] == base), None)
        return by_lower.get(tag) or by_lower.get(base) or alike or LANGUAGE_DEFAULT

    def subject(self, language: str, kind: Kind, variables: Mapping[str, object]) -> str:
        return self._fill(self.languages[language].mails[kind].subject, variables, is_html=False)

    def write(self, language: str, kind: Kind, variables: Mapping[str, object], *, is_html: bool) -> Written:
        """The mail's paragraphs; those that come out empty are left out."""
        texts = self.languages[language]
        mail = texts.mails[kind]
        greeting = texts.greeting if variables["name"] else texts.greeting_without_name

        def filled(sentences: Sequence[str]) -> list[str]:
            paragraphs = [self._fill(sentence, variables, is_html=is_html) for sentence in sentences]
            return [paragraph for paragraph in paragraphs if paragraph.strip()]

        return Written(
            greeting=self._fill(greeting, variables, is_html=is_html),
            opening=filled(mail.opening),
            closing=filled(mail.closing),
            footer=self._fill(texts.footer, variables, is_html=is_html),
        )

    def reason(self, language: str, reason: str) -> str:
        """Why, in words: what the ledger says is translated, what a person wrote stays."""
        if reason == _NOT_IN_TIME:
            return self._fill(self.languages[language].not_in_time, {}, is_html=False)
        found = _BUDGET_IS_SPENT.fullmatch(reason)
        if found is None:
            return reason
        sentence = self.languages[language].budget_is_spent
        return self._fill(sentence, {"budget": found[1], "period": found[2]}, is_html=False)

    def _fill(self, sentence: str, variables: Mapping[str, object], *, is_html: bool) -> str:
        template = self._compiled.get((is_html, sentence))
        if template is None:
            template = (self._html if is_html else self._text).from_string(sentence)
            self._compiled[is_html, sentence] = template
        filled = template.render(variables)
        # The template has escaped what it was given; the frame must not do so again.
        return Markup(filled) if is_html else filled  # noqa: S704 - see above


def amount_of(details: Details, language: str) -> str | None:
    """`1,054.00 USD`, or `1.054,00 USD`, as the language writes it."""
    if details.amount_minor is None or details.unit is None:
        return None
    decimals = assumed_decimals(details.unit) if details.decimals is None else details.decimals
    pattern = "#,##0." + "0" * decimals if decimals else "#,##0"
    amount = Decimal(details.amount_minor).scaleb(-decimals)
    return f"{format_decimal(amount, pattern, locale=_locale(language))} {details.unit}"


def day_of(day: str | None, language: str) -> str | None:
    """`2026-12-22` as `December 22, 2026`."""
    return None if day is None else format_date(date.fromisoformat(day), "long", locale=_locale(language))


def _locale(language: str) -> Locale:
    return Locale.parse(language, sep="-")


def _names() -> list[str]:
    folder = files("services.notify").joinpath("templates")
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))


def _read(name: str) -> Language:
    source = files("services.notify").joinpath("templates", f"{name}.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(source), Language)


def _environment(*, is_html: bool) -> jinja2.Environment:
    # The text part is no HTML: escaped, a customer's name would read `Smith &amp; Sons`.
    environment = jinja2.Environment(autoescape=is_html, undefined=jinja2.StrictUndefined, auto_reload=False)  # noqa: S701
    environment.filters["b"] = Markup("<strong>{}</strong>").format if is_html else str
    return environment
