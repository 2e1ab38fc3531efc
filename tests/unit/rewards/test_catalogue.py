"""A catalogue's file: what it may say, and that each fault is told with its place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from services.rewards.catalogue.items import Amount
from services.rewards.catalogue.reading import CatalogueErrors, read_catalogue

ROOT = Path(__file__).resolve().parents[3]
WHOLE = """\
schema: goodword/catalogue/v1
programme: saas
timezone: Europe/Warsaw
tiers: [bronze, NO]
decimals: {CREDIT: 2}
items:
  - id: card
    kind: gift_card
    price: 1_500 POINTS
    stock: codes
    tiers: [NO]
    from: 2026-01-01
    to: 2026-12-31
    per_person: 2
    text: {en: A card, pt-BR: Um cartão}
  - id: credit
    kind: credit
    price: 500 POINTS
    gives: 12.50 CREDIT
    text: {en: Credit}
"""


def test_a_whole_one_is_read() -> None:
    catalogue = read_catalogue(WHOLE)
    card, credit = catalogue.items
    assert (card.price, card.has_codes, card.tiers) == (Amount(minor=1_500, unit="POINTS"), True, ("NO",))
    assert (card.starts, card.ends, card.per_person) == (date(2026, 1, 1), date(2026, 12, 31), 2)
    assert credit.gives == Amount(minor=1_250, unit="CREDIT")
    offer = catalogue.offers(3)[1]
    assert (offer.version, offer.decimals_of("CREDIT"), offer.decimals_of("POINTS")) == (3, 2, None)
    # 23:30 in London is the next day in Warsaw.
    assert offer.day_of(1_767_223_800_000) == date(2026, 1, 1)
    assert type(offer).model_validate_json(offer.model_dump_json()) == offer


def test_the_examples_are_whole() -> None:
    paths = sorted((ROOT / "examples").rglob("catalogue.yaml"))
    assert paths
    for path in paths:
        assert read_catalogue(path.read_text(), path=str(path)).items


FAULTS = [
    # What is written instead,                             where,   and what is said
    (("goodword/catalogue/v1", "goodword/v1"), "1:9", "schema: Input should be 'goodword/catalogue/v1'"),
    (("programme: saas\n", ""), "1:1", "`programme` is missing"),
    (("Europe/Warsaw", "Warsaw"), "3:11", "'Warsaw' is no IANA time zone"),
    (("tiers: [NO]", "tiers: [SE]"), "11:13", "no tier SE in `tiers` (bronze, NO)"),
    (("tiers: [NO]", "tiers: []"), "11:12", "tiers: Tuple should have at least 1 item"),
    (("id: credit", "id: card"), "16:9", "there is an item card above already"),
    (("id: card", 'id: "a:b"'), "7:9", "an id is 1–128 of"),
    (("gift_card", "giftcard"), "8:11", "kind: Input should be 'discount'"),
    (("1_500 POINTS", "1.5 POINTS"), "9:12", "1.5 is no amount of POINTS, which has 0 decimals"),
    (("1_500 POINTS", "0 POINTS"), "9:12", "an amount is above zero"),
    (("1_500 POINTS", "1500"), "9:12", "an amount is a number and a unit"),
    (("12.50 CREDIT", "12.505 CREDIT"), "19:12", "12.505 is no amount of CREDIT, which has 2 decimals"),
    (("12.50 CREDIT", "12 POINTS"), "16:5", "a credit of POINTS cannot be bought with POINTS"),
    (("    gives: 12.50 CREDIT\n", ""), "16:5", "a credit says what it `gives`"),
    (("stock: codes", "stock: -1"), "10:12", "stock is a number up to 1000000000, or the word codes"),
    (("per_person: 2", "per_person: 0"), "14:17", "per_person: Input should be greater than or equal to 1"),
    (("per_person: 2", "per_persn: 2"), "14:16", "there is nothing called `per_persn` here"),
    (("to: 2026-12-31", "to: 2025-12-31"), "7:5", "`to` 2025-12-31 is before `from` 2026-01-01"),
    (("from: 2026-01-01", "from: soon"), "12:11", "from: Input should be a valid date"),
    (("{en: Credit}", "{}"), "20:11", "say what it is, in one language at least"),
    (("{en: Credit}", ""), "20:10", "text: Input should be a valid dictionary"),
    (("{en: Credit}", "{en: 1"), "21:1", "expected ',' or '}'"),
    (("bronze, NO", "&x bronze, *x"), "4:9", "no anchors, aliases or tags"),
    (("saas", "!!str saas"), "2:12", "no anchors, aliases or tags"),
    (("timezone:", "programme:"), "3:1", "a key is a word, and stands once"),
    ((WHOLE, ""), "1:1", "the file is empty"),
    ((WHOLE, "[" * 4_000), "1:17", "nested too deeply"),
    ((WHOLE, "a\0"), "1:1", "a catalogue is text"),
]


@pytest.mark.parametrize(("change", "where", "said"), FAULTS, ids=[said[:40] for _, _, said in FAULTS])
def test_a_fault_is_told_with_its_place(change: tuple[str, str], where: str, said: str) -> None:
    with pytest.raises(CatalogueErrors) as raised:
        read_catalogue(WHOLE.replace(*change, 1), path="c.yaml")
    told = [(problem.where, problem.message) for problem in raised.value.problems]
    assert any(place == f"c.yaml:{where}" and said in message for place, message in told), told


def test_all_faults_are_told_in_file_order() -> None:
    text = WHOLE.replace("saas", "a:b").replace("1_500 POINTS", "x").replace("12.50 CREDIT", "y")
    with pytest.raises(CatalogueErrors) as raised:
        read_catalogue(text)
    assert [problem.where for problem in raised.value.problems] == [
        "catalogue:2:12",
        "catalogue:9:12",
        "catalogue:19:12",
    ]
