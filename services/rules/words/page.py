"""What a page in plain words is made of, before anybody writes it as text, Markdown or HTML."""

from __future__ import annotations

import msgspec


class Item(msgspec.Struct, frozen=True):
    """A sentence, and what belongs under it."""

    text: str
    under: tuple[Item, ...] = ()


class Section(msgspec.Struct, frozen=True):
    """A heading, sentences, and parts with headings of their own (the rewards under "Rewards")."""

    title: str
    items: tuple[Item, ...] = ()
    parts: tuple[Section, ...] = ()


class Page(msgspec.Struct, frozen=True):
    """A programme.

    Attributes:
        language: BCP 47 tag.
        introduction: Paragraphs.
    """

    language: str
    title: str
    introduction: tuple[str, ...]
    sections: tuple[Section, ...]
