"""Mails as they go out: snapshots for reading in review, and what no name may do to them.

`GOODWORD_SNAPSHOTS=update python -m pytest tests/unit/notify` writes the snapshots anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import msgspec
import pytest

from services.notify.addresses import parse_mailbox
from services.notify.messages import KINDS, ROWS_OF, Details, Kind
from services.notify.render import Content, RenderError, Writer
from services.notify.texts import Texts

SNAPSHOTS = Path(__file__).parent / "snapshots"
TEXTS = Texts()
WRITER = Writer(parse_mailbox("Goodword <goodword@example.org>"))
PAYOUT = "crm-sales/EUR/2026-11-03/partner/ann"
FACT = "015a8cd2-8c00-8a3e-b0a1-5d2f8a3e9b11"

CASES: dict[str, tuple[Kind, Details, str | None]] = {
    "lead-qualified": ("lead-qualified", Details(customer="Cancity", lead="L-1"), "Moses Frase"),
    "lead-qualified-bare": ("lead-qualified", Details(), None),
    "reward-granted": (
        "reward-granted",
        Details(customer="Söhne & <Töchter>", deal="1C1I7A6R", rule="commission", amount_minor=105400, unit="USD"),
        "Łukasz O'Neil",
    ),
    "reward-granted-points": (
        "reward-granted",
        Details(lead="L-1", rule="survey-points", amount_minor=10, unit="POINTS"),
        "Moses Frase",
    ),
    "reward-granted-held": (
        "reward-granted",
        Details(rule="commission", amount_minor=105400, unit="USD", available_on="2026-12-22"),
        None,
    ),
    "reward-released": (
        "reward-released",
        Details(customer="Cancity", deal="1C1I7A6R", rule="commission", amount_minor=105400, unit="USD"),
        "Moses Frase",
    ),
    "reward-taken-back": (
        "reward-taken-back",
        Details(customer="Cancity", rule="commission", amount_minor=105400, unit="USD", reason="deal <cancelled>"),
        "Moses Frase",
    ),
    "reward-waiting": (
        "reward-waiting",
        Details(customer="Cancity", rule="commission", amount_minor=5, unit="USD", reason="budget yearly is spent"),
        "Moses Frase",
    ),
    "reward-denied": (
        "reward-denied",
        Details(rule="commission", amount_minor=105400, unit="USD", reason="budget yearly of 2026 is spent"),
        "Moses Frase",
    ),
    "reward-granted-lot": (
        "reward-granted",
        Details(rule="survey-points", amount_minor=10, unit="POINTS", expires_on="2027-12-22"),
        None,
    ),
    "reward-expiring": (
        "reward-expiring",
        Details(rule="survey-points", amount_minor=120, unit="POINTS", expires_on="2026-12-22"),
        "Moses Frase",
    ),
    "reward-expired": ("reward-expired", Details(rule="survey-points", amount_minor=7, unit="POINTS"), None),
    "tier-reached": ("tier-reached", Details(tier="gold"), "Moses Frase"),
    "debt-written-off": (
        "debt-written-off",
        Details(rule="write-off", amount_minor=1500, unit="USD", reason="agreed"),
        "Moses Frase",
    ),
    "gift-granted": (
        "gift-granted",
        Details(rule="gift", amount_minor=5000, unit="EUR", reason="ten years with us", expires_on="2027-12-22"),
        "Moses Frase",
    ),
    "payout-sent": ("payout-sent", Details(rule="payout", amount_minor=123_456_789, unit="KWD", payout=PAYOUT), "Ann"),
    "payout-settled": (
        "payout-settled",
        Details(rule="payout", amount_minor=123_456_789, unit="JPY", payout=PAYOUT),
        "Ann",
    ),
    "payout-returned": (
        "payout-returned",
        Details(rule="payout", amount_minor=1050, unit="EUR", payout=PAYOUT, reason="AC04 account closed"),
        "Ann",
    ),
    "redemption-reserved": (
        "redemption-reserved",
        Details(rule="redemption", amount_minor=900, unit="POINTS", item="2 × mug"),
        "Ann",
    ),
    "redemption-fulfilled": (
        "redemption-fulfilled",
        Details(rule="redemption", amount_minor=900, unit="POINTS", item="2 × mug"),
        "Ann",
    ),
    "redemption-cancelled": (
        "redemption-cancelled",
        Details(rule="redemption", amount_minor=900, unit="POINTS", reason="out of stock after all"),
        "Ann",
    ),
    "membership-charged": (
        "membership-charged",
        Details(rule="membership", amount_minor=9900, unit="EUR", item="gold"),
        "Ann",
    ),
    "membership-refunded": ("membership-refunded", Details(rule="membership", amount_minor=100, unit="EUR"), None),
}


def content_of(kind: Kind, details: Details, name: str | None, language: str | None = "en") -> Content:
    return Content(
        fact=FACT,
        kind=kind,
        programme="crm-sales",
        address="moses@example.com",
        trace="0af7651916cd43dd8448eb211c80319c",
        written_at_ms=1_795_000_000_000,
        details=details,
        name=name,
        language=language,
    )


@pytest.mark.parametrize("case", CASES)
def test_a_mail_reads_like_its_snapshot(case: str) -> None:
    written = WRITER.write(content_of(*CASES[case])).as_bytes()
    read = message_from_bytes(written, policy=default)
    text, html = read.get_body(("plain",)), read.get_body(("html",))
    assert text is not None
    assert html is not None
    headers = "".join(f"{key}: {value}\n" for key, value in read.items())
    # MJML writes one long line; broken at tags, a difference shows where it is.
    shown = f"{headers}\n{text.get_content()}\n=== HTML\n{html.get_content().replace('><', '>' + chr(10) + '<')}"
    shown = "\n".join(line.rstrip() for line in shown.splitlines()) + "\n"
    file = SNAPSHOTS / f"{case}.txt"
    if os.environ.get("GOODWORD_SNAPSHOTS") == "update":
        file.write_text(shown, encoding="utf-8")
    assert shown == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", sorted(TEXTS.languages))
def test_all_mails_of_a_language_read_like_their_snapshot(language: str) -> None:
    """The text parts, below each other, for those who read the language."""
    shown = ""
    for case, (kind, details, name) in CASES.items():
        message = WRITER.write(content_of(kind, details, name, language))
        text = message.get_body(("plain",))
        assert text is not None
        shown += f"=== {case}\n{message['Subject']}\n\n{text.get_content().rstrip()}\n\n"
    file = SNAPSHOTS / f"all-{language}.txt"
    if os.environ.get("GOODWORD_SNAPSHOTS") == "update":
        file.write_text(shown, encoding="utf-8")
    assert shown == file.read_text(encoding="utf-8")


def test_every_kind_of_mail_is_in_the_snapshots() -> None:
    assert {kind for kind, _, _ in CASES.values()} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_mail_has_the_same_bytes_and_is_seven_bit(kind: Kind) -> None:
    details = Details(customer="Łódź", rule="commission", amount_minor=1, unit="KWD", tier="złoty")
    first, second = (WRITER.write(content_of(kind, details, "東京")).as_bytes() for _ in range(2))
    assert first == second
    assert first.isascii()


def test_what_comes_from_outside_is_escaped_in_html_and_plain_in_text() -> None:
    hostile = "</td><script>alert('&amp;')</script>{{ 7*7 }}"
    details = Details(customer=hostile, rule=hostile, deal=hostile, amount_minor=1, unit="USD")
    message = WRITER.write(content_of("reward-granted", details, hostile))
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert hostile in text.get_content()
    assert "<script" not in html.get_content()
    assert "49" not in html.get_content()
    assert "&lt;script&gt;alert(&#39;&amp;amp;&#39;)" in html.get_content()


def test_a_mail_loads_nothing_from_elsewhere() -> None:
    html = WRITER.write(content_of("tier-reached", Details(tier="gold"), "Moses")).get_body(("html",))
    assert html is not None
    for outside in ("googleapis", "<img", "<link", "@import", "url("):
        assert outside not in html.get_content()


@pytest.mark.parametrize("language", ["en", "EN", "en-GB", "en_US", "xx", "", None, "../../etc", "de-DE"])
def test_a_language_we_lack_falls_back_to_english(language: str | None) -> None:
    assert WRITER.language_of(language) == "en"


@pytest.mark.parametrize(
    ("wanted", "language"), [("pt-br", "pt-BR"), ("pt_BR", "pt-BR"), ("pt-PT", "pt-BR"), ("pl-PL", "pl"), ("ID", "id")]
)
def test_a_language_is_found_by_its_tag_then_by_its_base(wanted: str, language: str) -> None:
    assert WRITER.language_of(wanted) == language


def variables_of(sentences: Sequence[str]) -> list[str]:
    """What the sentences mention and ask, wherever it stands in them."""
    return sorted(set(re.findall(r"\{[{%].*?[%}]\}", " ".join(sentences))))


@pytest.mark.parametrize("language", sorted(TEXTS.languages))
def test_a_language_has_every_mail_with_the_same_variables(language: str) -> None:
    texts, english = TEXTS.languages[language], TEXTS.languages["en"]
    assert texts.mails.keys() == english.mails.keys() == set(KINDS)
    assert texts.rows.keys() == english.rows.keys() >= {row for rows in ROWS_OF.values() for row in rows}
    for kind, mail in texts.mails.items():
        model = english.mails[kind]
        assert (len(mail.opening), len(mail.closing)) == (len(model.opening), len(model.closing)), kind
        for part in ("subject", "opening", "closing"):
            ours, theirs = getattr(mail, part), getattr(model, part)
            if part == "subject":
                ours, theirs = (ours,), (theirs,)
            assert variables_of(ours) == variables_of(theirs), (kind, part)
    for field in ("greeting", "greeting_without_name", "footer", "budget_is_spent", "not_in_time"):
        assert variables_of([getattr(texts, field)]) == variables_of([getattr(english, field)])


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("budget yearly is spent", "budżet yearly został wyczerpany"),
        ("budget yearly of 2026-Q1 is spent, others wait for it", "budżet yearly za okres 2026-Q1 został wyczerpany"),
        ("not fulfilled in time", "nie wydano w terminie"),
        ("the customer asked us", "the customer asked us"),
    ],
)
def test_what_the_ledger_gives_as_reason_is_translated(reason: str, said: str) -> None:
    details = Details(rule="commission", amount_minor=5, unit="USD", reason=reason)
    text = WRITER.write(content_of("reward-denied", details, None, "pl")).get_body(("plain",))
    assert text is not None
    assert f"nie może zostać wypłacona: {said}." in text.get_content()


def test_a_mail_that_cannot_be_written_says_which() -> None:
    content = msgspec.structs.replace(content_of("tier-reached", Details(tier="gold"), "Moses"), trace="no\ntrace")
    with pytest.raises(RenderError, match="tier-reached could not be written in en"):
        WRITER.write(content)


@pytest.mark.parametrize(
    ("unit", "decimals", "shown"),
    [
        ("CREDIT", 2, "12.50 CREDIT"),
        ("CREDIT", None, "1,250 CREDIT"),
        ("USD", None, "12.50 USD"),
        ("JPY", None, "1,250 JPY"),
    ],
)
def test_an_amount_is_shown_at_its_units_scale_and_at_the_usual_one_where_none_was_told(
    unit: str, decimals: int | None, shown: str
) -> None:
    details = Details(rule="credit", amount_minor=1250, unit=unit, decimals=decimals)
    text = WRITER.write(content_of("reward-granted", details, None)).get_body(("plain",))
    assert text is not None
    assert shown in text.get_content()
