"""Programmes in plain words: snapshots for reading in review, complete catalogues, and what no name may do to a page.

`make snapshots` writes the snapshots anew.
"""

from __future__ import annotations

import os
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from contracts.events import EVENT_TYPES
from contracts.money import Money
from contracts.ruleset import Duration, RuleSet
from services.rules.language import read_rule_set
from services.rules.language.paths import CATALOGUE
from services.rules.words import FORMATS, LANGUAGES, Item, Page, Section, describe, render
from services.rules.words.catalogue import catalogue_of, fill, locale_of, places_of
from services.rules.words.render import Format
from services.rules.words.speaker import Speaker

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SNAPSHOTS = HERE / "snapshots"
ENDINGS: dict[Format, str] = {"text": "txt", "markdown": "md", "html": "html"}
HEAD = "schema: goodword/v1\nprogramme: partners\ncurrency: USD\ntimezone: America/Sao_Paulo\n"
HOSTILE = "<script>alert(1)</script> & {amount} `*_[x](y)"


def rules(text: str) -> RuleSet:
    return read_rule_set(HEAD + text, path="rules.yaml")


def whole_language() -> RuleSet:
    text = (HERE / "language/whole_language.yaml").read_text(encoding="utf-8")
    return read_rule_set(text, path="whole.yaml")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_whole_language_reads_like_its_snapshot(language: str, format: Format) -> None:
    shown = render(describe(whole_language(), language, partner="acme-consulting", groups=("pilots",)), format)
    file = SNAPSHOTS / f"whole-language.{language}.{ENDINGS[format]}"
    if os.environ.get("GOODWORD_SNAPSHOTS") == "update":
        file.write_text(shown, encoding="utf-8")
    assert shown == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_message_with_the_same_places(language: str) -> None:
    english, other = catalogue_of("en"), catalogue_of(language)
    for part in ("messages", "paths", "bases", "events", "plurals", "units"):
        assert getattr(other, part).keys() == getattr(english, part).keys()
    for key, message in english.messages.items():
        assert places_of(other.messages[key]) == places_of(message), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_plural_has_all_forms_of_its_language(language: str) -> None:
    forms = {*locale_of(language).plural_form.tags, "other"}
    catalogue = catalogue_of(language)
    for counted in (*catalogue.plurals.values(), *catalogue.units.values()):
        assert counted.keys() == forms
        assert all(places_of(each) == {"n"} for each in counted.values())


def test_every_path_and_every_event_that_rules_can_name_has_a_word() -> None:
    english = catalogue_of("en")
    assert english.paths.keys() == CATALOGUE.keys()
    assert english.bases.keys() == {name for name, path in CATALOGUE.items() if path.type == "amount"}
    assert english.events.keys() == {*EVENT_TYPES} - {"click.recorded"}


def test_there_is_a_catalogue_for_every_language_and_no_other() -> None:
    files = (ROOT / "services/rules/words/languages").iterdir()
    assert {file.stem for file in files} == set(LANGUAGES)


@pytest.mark.parametrize(
    ("months", "said"),
    [
        (1, "1 miesiąc"),
        (2, "2 miesiące"),
        (5, "5 miesięcy"),
        (12, "12 miesięcy"),
        (22, "22 miesiące"),
        (25, "25 miesięcy"),
    ],
)
def test_polish_counts_by_its_own_rules(months: int, said: str) -> None:
    assert Speaker(rules(""), "pl").duration(Duration(months=months)) == said


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ("1", "1 punkt procentowy"),
        ("3", "3 punkty procentowe"),
        ("5", "5 punktów procentowych"),
        ("1.5", "1,5 punktu procentowego"),
    ],
)
def test_polish_fractions_have_a_form_of_their_own(points: str, said: str) -> None:
    assert Speaker(rules(""), "pl").counted("points", Decimal(points)) == said


@pytest.mark.parametrize(
    ("language", "money", "said"),
    [
        ("en", Money(150050, "USD"), "$1,500.50"),
        ("en", Money(150000, "USD"), "$1,500"),
        ("en", Money(1500, "KWD"), "KWD\u00a01.500"),
        ("en", Money(1500, "JPY"), "¥1,500"),
        ("pt-BR", Money(150050, "BRL"), "R$\u00a01.500,50"),
        ("id", Money(150000000, "IDR"), "Rp\u00a01.500.000"),
        ("pl", Money(123456789, "PLN"), "1\u00a0234\u00a0567,89\u00a0zł"),
        ("pl", Money(1250, "CREDIT"), "12,50 CREDIT"),
        ("pl", Money(3, "POINTS"), "3 punkty"),
        ("en", Money(2**63 - 1, "USD"), "$92,233,720,368,547,758.07"),
    ],
)
def test_amounts_are_exact_and_written_as_the_language_does(language: str, money: Money, said: str) -> None:
    declared = rules("units: {CREDIT: {decimals: 2}, POINTS: {}}\n")
    assert Speaker(declared, language).money(money) == said


def test_a_time_is_said_in_the_programmes_zone() -> None:
    text = rules("effective_from: 2026-01-01T09:30:00\n")
    assert "1 de janeiro de 2026, 09:30" in render(describe(text, "pt-BR"), "text")


def test_what_was_agreed_with_a_partner_is_told_to_nobody_else() -> None:
    shown = whole_language()
    everyones, acmes, others = (
        render(describe(shown, "en", partner=partner), "text") for partner in (None, "acme-consulting", "other")
    )
    assert everyones == others
    assert "12% of the deal" in acmes
    assert "12% of the deal" not in everyones
    assert "agreed with you individually" in everyones
    assert "acme" not in everyones.lower()


def test_a_row_that_takes_everything_is_the_last_one_told() -> None:
    text = rules(
        "tiers: [{id: a}]\nrewards:\n  - id: r\n    on: deal.won\n    give: {percent: {by: [tier, deal.product], "
        "rows: [[a, Pro, 2], [any, any, 1]]}, of: deal.amount}\n"
    )
    assert "    - otherwise: 1% of the deal's amount\n" in render(describe(text, "en"), "text")


class _Read(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)
        if tag in ("h1", "h2", "h3"):
            self.levels.append(int(tag[1]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_html_is_well_formed_names_its_language_and_has_headings_in_order(language: str) -> None:
    page = _Read()
    text = render(describe(whole_language(), language), "html")
    page.feed(text)
    assert page.open == []
    assert ("html", {"lang": language}) in page.tags
    assert page.levels.count(1) == 1
    assert page.levels[0] == 1
    assert all(after - before <= 1 for before, after in zip(page.levels, page.levels[1:], strict=False))
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert {attrs["aria-labelledby"] for _, attrs in page.tags if "aria-labelledby" in attrs} == ids
    # Self-contained: nothing is loaded from anywhere, nothing runs.
    assert not {tag for tag, _ in page.tags} & {"link", "script", "img", "iframe"}
    assert "url(" not in text
    assert "http" not in text


def test_names_are_escaped_and_never_filled_in() -> None:
    page = Page("en", HOSTILE, (HOSTILE,), (Section(HOSTILE, (Item(f"1. {HOSTILE}\n# x", (Item(HOSTILE),)),)),))
    html = render(page, "html")
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; {amount}" in html
    markdown = render(page, "markdown")
    assert "<" not in markdown.replace("\\<", "")
    assert "- 1\\. " in markdown
    assert "\n# x" not in markdown
    assert fill("{name}!", {"name": "{name}"}) == "{name}!"


def test_no_name_steers_a_terminal() -> None:
    page = Page("en", "a\x1b[31mb\x9bc", (), ())
    assert render(page, "text").splitlines()[0] == "a [31mb c"
