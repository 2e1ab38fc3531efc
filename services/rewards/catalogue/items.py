"""What a catalogue may say: its items, each with price, stock, dates, and who may have it. Pure.

A catalogue is of one programme, and each publishing makes a version of its own. What was reserved keeps the version
it was reserved under. Amounts are written as in rule sets (`500 POINTS`, `12.50 EUR`); dates are whole days of the
catalogue's time zone.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from contracts.events import EPOCH
from contracts.ids import is_id
from contracts.money import AMOUNT_MINOR_MAX, CURRENCY_DECIMALS, UNIT_DECIMALS_MAX, is_unit

SCHEMA: Final = "goodword/catalogue/v1"
ITEMS_MAX: Final = 2_000
STOCK_MAX: Final = 1_000_000_000
TEXT_LENGTH_MAX: Final = 2_000
QUANTITY_MAX: Final = 1_000
STOCK_OF_CODES: Final = "codes"

Kind = Literal["discount", "credit", "gift_card", "perk", "third_party_perk", "charity_donation"]

_NUMBER: Final = re.compile(r"(\d{1,3}(?:[,_]?\d{3})*)(?:\.(\d+))?", re.ASCII)


class Amount(BaseModel):
    """So many minor units, above zero."""

    model_config = ConfigDict(frozen=True)

    minor: int
    unit: str


def read_amount(text: object, info: ValidationInfo) -> object:
    """`12.50 EUR` by the decimals in the context; what is no text passes, as stored items come back as objects."""
    if not isinstance(text, str):
        return text
    number, _, unit = text.strip().partition(" ")
    if not is_unit(unit):
        raise ValueError("an amount is a number and a unit, such as 500 POINTS or 12.50 EUR")
    context: dict[str, int] = info.context or {}
    places = CURRENCY_DECIMALS.get(unit, context.get(unit, 0))
    found = _NUMBER.fullmatch(number)
    if found is None or len(found[2] or "") > places:
        raise ValueError(
            f"{number} is no amount of {unit}, which has {places} decimals; others are declared under `decimals`"
        )
    minor = int(re.sub("[,_]", "", found[1]) + (found[2] or "").ljust(places, "0"))
    if not 0 < minor * QUANTITY_MAX <= AMOUNT_MINOR_MAX:
        raise ValueError("an amount is above zero, and not beyond what the ledger can hold")
    return Amount(minor=minor, unit=unit)


def read_stock(value: object) -> object:
    """One message for what a union of types would tell twice."""
    if value is None or value == STOCK_OF_CODES or isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{1,10}", value, re.ASCII) and int(value) <= STOCK_MAX:
        return int(value)
    raise ValueError(f"stock is a number up to {STOCK_MAX}, or the word codes")


def _checked_id(value: str) -> str:
    if not is_id(value):
        raise ValueError("an id is 1–128 of A–Z a–z 0–9 . _ ~ / @ + -")
    return value


Price = Annotated[Amount, BeforeValidator(read_amount)]
StockAsWritten = Annotated[int | Literal["codes"] | None, BeforeValidator(read_stock)]
Id = Annotated[str, AfterValidator(_checked_id)]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX, pattern=r"^[^\x00]*$")]


class Item(BaseModel):
    """Something that can be had.

    Attributes:
        price: Of one.
        stock: How many there are in all, those taken already among them; `codes`: as many as codes were loaded; None:
            without end.
        tiers: Of partners who may have it; None: everybody.
        starts, ends: The first and the last day on which it can be reserved.
        per_person: How many one person can have in all; what was cancelled does not count.
        gives: Of a credit, what becomes available to whoever redeems it.
        text: What it is, by language.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: Id
    kind: Kind
    price: Price
    stock: StockAsWritten = None
    tiers: Annotated[tuple[Id, ...], Field(min_length=1)] | None = None
    starts: Annotated[date | None, Field(alias="from")] = None
    ends: Annotated[date | None, Field(alias="to")] = None
    per_person: Annotated[int, Field(ge=1)] | None = None
    gives: Price | None = None
    text: dict[Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")], Text]

    @field_validator("text")
    @classmethod
    def _some_text(cls, value: dict[str, str]) -> dict[str, str]:
        if not value:
            raise ValueError("say what it is, in one language at least: text: {en: …}")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.starts and self.ends and self.ends < self.starts:
            raise ValueError(f"`to` {self.ends} is before `from` {self.starts}")
        if (self.gives is not None) != (self.kind == "credit"):
            raise ValueError("a credit says what it `gives`, such as 10 CREDIT, and nothing else does")
        if self.gives is not None and self.gives.unit == self.price.unit:
            raise ValueError(f"a credit of {self.gives.unit} cannot be bought with {self.price.unit}")
        return self

    @property
    def has_codes(self) -> bool:
        return self.stock == STOCK_OF_CODES

    @property
    def counted_stock(self) -> int | None:
        """None where there is no end, and where codes are counted."""
        return self.stock if isinstance(self.stock, int) else None


class Catalogue(BaseModel):
    """One version of a programme's catalogue.

    Attributes:
        tiers: All tiers of the rule set, the lowest first: where everyone starts. Needed as soon as an item is for
            some of them.
        decimals: Of units of the programme's own that have any, as the rule set declares them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Annotated[Literal["goodword/catalogue/v1"], Field(alias="schema")]
    programme: Id
    timezone: str = "UTC"
    tiers: tuple[Id, ...] = ()
    decimals: dict[str, Annotated[int, Field(ge=0, le=UNIT_DECIMALS_MAX)]] = {}
    items: Annotated[tuple[Item, ...], Field(max_length=ITEMS_MAX)]

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is no IANA time zone, such as Europe/Warsaw") from None
        return value

    def offers(self, version: int) -> list[Offer]:
        """Its items, each with all that reserving one needs to know."""
        return [
            Offer(version=version, timezone=self.timezone, tiers=self.tiers, decimals=self.decimals, item=item)
            for item in self.items
        ]


class Offer(BaseModel):
    """An item as it is offered by a version; kept as JSON beside its stock."""

    model_config = ConfigDict(frozen=True)

    version: int
    timezone: str
    tiers: tuple[str, ...]
    decimals: dict[str, int]
    item: Item

    def decimals_of(self, unit: str) -> int | None:
        """Where they are not what everybody assumes."""
        return self.decimals.get(unit) or None

    def day_of(self, at_ms: int) -> date:
        """The local day of a moment."""
        moment: datetime = EPOCH + timedelta(milliseconds=at_ms)
        return moment.astimezone(ZoneInfo(self.timezone)).date()


class Stock(NamedTuple):
    """How many there are in all (None: without end), and how many are taken."""

    stock: int | None
    taken: int
    is_offered: bool

    @property
    def left(self) -> int | None:
        return None if self.stock is None else max(0, self.stock - self.taken)


def faults_between(catalogue: Catalogue) -> list[tuple[tuple[str | int, ...], str]]:
    """What is wrong with items as against each other and the head: the path of each, and why."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    seen: set[str] = set()
    for index, item in enumerate(catalogue.items):
        if item.id in seen:
            found.append((("items", index, "id"), f"there is an item {item.id} above already"))
        seen.add(item.id)
        for place, tier in enumerate(item.tiers or ()):
            if tier not in catalogue.tiers:
                known = ", ".join(catalogue.tiers) or "none: list them, the lowest first"
                found.append((("items", index, "tiers", place), f"no tier {tier} in `tiers` ({known})"))
    return found


def read_decimals(raw: Any) -> dict[str, int]:
    """The declared decimals of a file that may still be wrong all over; its faults are told by the model."""
    declared = raw.get("decimals") if isinstance(raw, dict) else None
    if not isinstance(declared, dict):
        return {}
    return {
        unit: int(text)
        for unit, text in declared.items()
        if isinstance(text, str) and re.fullmatch(r"[0-9]", text, re.ASCII)
    }
