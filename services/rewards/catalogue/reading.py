"""From a catalogue's YAML to its items, or to all of its faults at once, each with line and column. Pure.

Every scalar stays the text that was written (`NO` is Norway), anchors and tags are refused, and size and depth are
bounded while reading, so that no file can expand or construct anything.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import yaml
from pydantic import ValidationError

from contracts.errors import ManyProblems, Problem
from services.rewards.catalogue.items import SCHEMA, Catalogue, faults_between, read_decimals

FILE_BYTES_MAX: Final = 1_000_000
NESTING_MAX: Final = 16
PROBLEMS_MAX: Final = 100

Path = tuple[str | int, ...]
Marks = dict[Path, tuple[int, int]]
"""Line and column, from 1, of each value; of a key that is not known, of the key."""


class CatalogueErrors(ManyProblems):
    """A catalogue with faults, in file order."""


class _Refused(Exception):
    """Not read further; `at` is the node or the parser's event."""

    def __init__(self, message: str, at: Any = None) -> None:
        super().__init__(message)
        self.place = _start(at) if at is not None else (1, 1)


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_catalogue(text: str, *, path: str = "catalogue") -> Catalogue:
    """The catalogue of a file.

    Raises:
        CatalogueErrors: `catalogue-malformed`, as often as something is wrong; `where` is `file:line:column`.
    """
    if "\0" in text or len(text.encode(errors="replace")) > FILE_BYTES_MAX:
        raise CatalogueErrors([_problem(path, (1, 1), f"a catalogue is text of up to {FILE_BYTES_MAX} bytes")])
    marks: Marks = {}
    try:
        raw = _plain(_root(text), (), marks)
    except _Refused as error:
        raise CatalogueErrors([_problem(path, error.place, str(error))]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise CatalogueErrors([_problem(path, place, error.problem or "this is no YAML")]) from error
    except yaml.YAMLError as error:
        raise CatalogueErrors([_problem(path, (1, 1), str(error))]) from error
    try:
        catalogue = Catalogue.model_validate(raw, context=read_decimals(raw))
    except ValidationError as error:
        found = [(each["loc"], _message(each)) for each in error.errors()]
    else:
        found = faults_between(catalogue)
        if not found:
            return catalogue
    placed = sorted((_mark(marks, where), message, where) for where, message in found)[:PROBLEMS_MAX]
    raise CatalogueErrors([_problem(path, place, message, where) for place, message, where in placed])


def _root(text: str) -> yaml.Node:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > NESTING_MAX:
            raise _Refused("this is nested too deeply", event)
        if getattr(event, "anchor", None) is not None or getattr(event, "tag", None) is not None:
            problem = "a catalogue has no anchors, aliases or tags: write the value out"
            raise _Refused(problem, event)
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None:
        raise _Refused(f"the file is empty; it begins with schema: {SCHEMA}")
    return node


def _plain(node: yaml.Node, path: Path, marks: Marks) -> Any:
    """The node as plain values, noting where each stands."""
    marks.setdefault(path, _start(node))
    if isinstance(node, yaml.ScalarNode):
        return None if not node.value and not node.style else node.value
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each, (*path, index), marks) for index, each in enumerate(node.value)]
    values: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.value in values:
            raise _Refused("a key is a word, and stands once", key)
        values[key.value] = _plain(value, (*path, key.value), marks)
        marks[(*path, key.value, "")] = _start(key)
    return values


def _start(at: Any) -> tuple[int, int]:
    return at.start_mark.line + 1, at.start_mark.column + 1


def _mark(marks: Marks, path: Path) -> tuple[int, int]:
    """Where it stands; of what is missing, or is no value of the file, where what it would stand in does."""
    if (*path, "") in marks and path not in marks:
        return marks[(*path, "")]
    while path not in marks:
        path = path[:-1]
    return marks[path]


def _message(error: Any) -> str:
    name = str(error["loc"][-1]) if error["loc"] else "this"
    match error["type"]:
        case "missing":
            return f"`{name}` is missing"
        case "extra_forbidden":
            return f"there is nothing called `{name}` here"
        case _:
            message = str(error["msg"]).removeprefix("Value error, ")
            return message if error["type"] == "value_error" else f"{name}: {message}"


def _problem(path: str, place: tuple[int, int], message: str, where: Path = ()) -> Problem:
    dotted = ".".join(str(part) for part in where)
    return Problem(
        code="catalogue-malformed",
        message=f"{message} ({dotted})" if dotted else message,
        where=f"{path}:{place[0]}:{place[1]}",
        help="docs/redemption.md shows a whole catalogue",
    )
