"""XML of banks, as a stream of elements: names without their namespaces, no document types, memory flat.

A document type is refused: no bank sends one, and entities that grow or read files need one.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, cast
from xml.parsers import expat

from services.rewards.payouts.bank.entry import malformed

READ_BYTES: Final = 64 * 1024
_KINDS: Final = {
    "Ntry": "camt.053",
    "Stmt": "camt.053",
    "OrgnlPmtInfAndSts": "pain.002",
    "OrgnlGrpInfAndSts": "pain.002",
}


def elements(path: Path, *names: str) -> Iterator[ET.Element]:
    """Each element with one of these names, whole; what is inside of it is not told by itself.

    Raises:
        PermanentError: `bank-file-malformed`.
    """
    parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(("start", "end"))
    guard = expat.ParserCreate()
    guard.StartDoctypeDeclHandler = _refuse_doctype(path)
    opened: list[ET.Element] = []
    inside = 0
    try:
        with path.open("rb") as file:
            while block := file.read(READ_BYTES):
                # First: what the guard refuses, the parser never sees.
                guard.Parse(block, False)
                parser.feed(block)
                # With these two kinds of events, each has an element.
                events = cast("Iterable[tuple[str, ET.Element]]", parser.read_events())
                for event, element in events:
                    is_wanted = _name(element) in names
                    if event == "start":
                        opened.append(element)
                        inside += is_wanted
                        continue
                    opened.pop()
                    inside -= is_wanted
                    if is_wanted and not inside:
                        yield element
                    if opened and not inside:
                        # Told, or of no use: its place is given back.
                        opened[-1].remove(element)
        parser.close()
    except (ET.ParseError, expat.ExpatError) as error:
        raise malformed(f"not XML: {error}", str(path)) from error
    except OSError as error:
        raise malformed(f"cannot be read: {error.strerror}", str(path)) from error


def kind_of(path: Path) -> str:
    """`camt.053` or `pain.002`, by the first element that tells. Raises PermanentError (`bank-file-malformed`)."""
    for element in elements(path, *_KINDS, "GrpHdr"):
        if _name(element) in _KINDS:
            return _KINDS[_name(element)]
        # The head of either stands in the element that tells them apart; its namespace names the message.
        for message in _KINDS.values():
            if message in element.tag:
                return message
    raise malformed("neither a statement (camt.053) nor a status report (pain.002)", str(path))


def text(element: ET.Element | None, *path: str) -> str:
    """The text at a path of names; empty where there is none."""
    for name in path:
        element = child(element, name)
    return (element.text or "").strip() if element is not None else ""


def child(element: ET.Element | None, name: str) -> ET.Element | None:
    return next(iter(children(element, name)), None)


def children(element: ET.Element | None, name: str) -> list[ET.Element]:
    return [] if element is None else [one for one in element if _name(one) == name]


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _refuse_doctype(path: Path) -> Callable[[str, str | None, str | None, int], None]:
    def refuse(name: str, system: str | None, public: str | None, has_subset: int) -> None:
        raise malformed("has a document type, which no bank sends", str(path))

    return refuse
