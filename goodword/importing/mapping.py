"""The mapping file: how rows of a CSV file become events. docs/importing.md is its reference.

Reading it only checks its shape; whether its columns exist is checked against each file's header, so that a
mistake is told before the first event is sent. All mistakes of the shape are reported at once.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from contracts.errors import PermanentError, Problem
from contracts.events import EVENT_TYPES
from contracts.ids import is_id
from contracts.money import is_currency

FILE_BYTES_MAX: Final = 1024 * 1024
Name = Annotated[str, Field(min_length=1, max_length=200)]


def _checked_id(text: str) -> str:
    if not is_id(text):
        raise ValueError("an id has 1–128 characters of A–Z a–z 0–9 . _ ~ / @ + -")
    return text


Id = Annotated[str, AfterValidator(_checked_id)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Dialect(_Part):
    """How the CSV is written (RFC 4180 unless said otherwise)."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Field(min_length=1, max_length=1)] = '"'
    encoding: str = "utf-8"

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except LookupError:
            raise ValueError(f"no encoding is called {encoding}") from None
        return encoding


class Join(_Part):
    """Another file, read whole: where its `key` equals the row's column `on`, its columns are the row's too."""

    file: Name
    key: Name
    on: Name
    required: bool = True
    """Whether a row is refused whose `on` has a value that the file does not know."""


class Missing(_Part):
    missing: bool


Condition = dict[str, str | list[str] | Missing]
"""Column to a text, texts, or `{missing: true}`; all must hold. A cell of blanks only is missing."""


class Repair(_Part):
    """Cells of a column that are put right before anything else looks at them."""

    name: Name
    column: Name
    values: Annotated[dict[str, str], Field(min_length=1)]


class Named(_Part):
    """A kind of row, by name."""

    name: Name
    when: Annotated[Condition, Field(min_length=1)]


class Time(_Part):
    """When it happened: a cell, its strptime format, and the zone it is local to."""

    from_: Annotated[str, Field(alias="from")]
    format: str = "%Y-%m-%d"
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _zone(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"no IANA zone is called {timezone}") from None
        return timezone

    @field_validator("format")
    @classmethod
    def _format(cls, format: str) -> str:
        # A format that cannot read its own writing would reject every row.
        moment = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
        try:
            datetime.strptime(moment.strftime(format), format)  # noqa: DTZ007 - only whether it can be read
        except ValueError as error:
            raise ValueError(f"not a format of strptime: {error}") from None
        return format


class Cell(_Part):
    """A value taken from a cell. An empty cell leaves the field out."""

    from_: Annotated[str, Field(alias="from")]
    as_: Annotated[Literal["text", "slug", "integer", "amount", "date"], Field(alias="as")] = "text"
    map: dict[str, str] | None = None
    """Cell text to what is sent instead; a text that is not listed rejects the row."""
    currency: str | None = None
    multiply: Annotated[int, Field(ge=1, le=10**12)] = 1
    format: str = "%Y-%m-%d"

    @field_validator("currency")
    @classmethod
    def _currency(cls, currency: str | None) -> str | None:
        if currency is not None and not is_currency(currency):
            raise ValueError(f"{currency} is not a currency code of ISO 4217")
        return currency

    @model_validator(mode="after")
    def _fits(self) -> Cell:
        if (self.as_ == "amount") != (self.currency is not None):
            raise ValueError("`currency` goes with `as: amount`, and `as: amount` needs it")
        if self.multiply != 1 and self.as_ != "amount":
            raise ValueError("`multiply` goes with `as: amount`")
        return self


def _as_template(value: Any, place: str = "") -> Any:
    """Cells become `Cell`, the rest stays; ValueError names the field."""
    if isinstance(value, dict):
        if "from" in value:
            try:
                return Cell.model_validate(value)
            except ValidationError as error:
                first = error.errors()[0]
                inner = ".".join(str(part) for part in first["loc"])
                raise ValueError(f"{place}.{inner}: {first['msg']}") from None
        return {str(name): _as_template(part, f"{place}.{name}".lstrip(".")) for name, part in value.items()}
    if isinstance(value, str | bool | int) or (
        isinstance(value, list) and all(isinstance(part, str) for part in value)
    ):
        return value
    raise ValueError(f"{place}: give text, a whole number, true or false, or a mapping with `from`")


Template = Annotated[dict[str, Any], BeforeValidator(_as_template)]
"""Field to text with `{column}` in it, a Cell (a mapping that has `from`), or a template of its own."""


class EventOf(_Part):
    """One event that a row gives, if `when` holds."""

    # One list of types for all: pydantic reads the tuple as it runs, mypy wants them written out again.
    type: Literal[EVENT_TYPES]  # type: ignore[valid-type]
    id: Name
    time: Time
    when: Condition = {}
    data: Template = {}


class Mapping(_Part):
    """The whole file."""

    schema_: Annotated[Literal["goodword/mapping/v1"], Field(alias="schema")]
    source: Id
    programme: Id
    csv: Dialect = Dialect()
    join: dict[str, Join] = {}
    repair: list[Repair] = []
    reject: list[Named] = []
    flaw: list[Named] = []
    order: Literal["time", "file"] = "time"
    data: Template = {}
    events: Annotated[list[EventOf], Field(min_length=1)]

    @field_validator("join")
    @classmethod
    def _join_names(cls, join: dict[str, Join]) -> dict[str, Join]:
        for name in join:
            if "." in name:
                raise ValueError(f"the name of a joined file must not hold a dot: {name}")
        return join


def read_mapping(path: Path) -> Mapping:
    """Read and check a mapping file.

    Raises:
        PermanentError: `bad-mapping`; its `where` is the first place, its help lists all mistakes.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _bad(path, f"the mapping cannot be read: {error.strerror}") from error
    if len(content) > FILE_BYTES_MAX:
        raise _bad(path, f"a mapping has at most {FILE_BYTES_MAX // 1024} KiB")
    try:
        parsed = yaml.load(content, Loader=_TextLoader)  # noqa: S506 - derived from the safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise _bad(place, f"not YAML: {getattr(error, 'problem', None) or error}") from error
    except (RecursionError, ValueError, UnicodeDecodeError) as error:
        raise _bad(path, f"not YAML: {error}") from error
    if not isinstance(parsed, dict):
        is_empty = (
            "the mapping is empty" if parsed is None else "a mapping file holds keys and values, this one does not"
        )
        raise _bad(path, f"{is_empty}: it begins with schema: goodword/mapping/v1")
    try:
        return Mapping.model_validate(parsed)
    except ValidationError as error:
        mistakes = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        message = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "a mistake"
        raise _bad(path, f"the mapping has {message}: {mistakes[0]}", "\n".join(mistakes[1:])) from error


class _TextLoader(yaml.SafeLoader):
    """Keeps `NO`, `7.50` and `2017-01-01` as the text they are, and refuses the same key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value} stands there twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_AS_TEXT: Final = {f"tag:yaml.org,2002:{kind}" for kind in ("timestamp", "bool", "float")}
_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _AS_TEXT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_TextLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def _bad(place: object, message: str, help: str = "") -> PermanentError:
    return PermanentError(
        Problem(
            code="bad-mapping", message=message, where=str(place), help=help or "docs/importing.md explains every word"
        )
    )
