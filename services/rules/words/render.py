"""A page as text, as Markdown or as one HTML file that needs nothing else.

Whatever a name holds, it stays a name: it is escaped in Markdown and in HTML, and line breaks in it are spaces.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterable
from typing import Final, Literal, get_args

from services.rules.words.page import Item, Page, Section

Format = Literal["text", "markdown", "html"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
TEXT_WIDTH: Final = 100
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]<>#+|~!&$])")
# What begins a list or a heading at the start of a line: "1. ", "- ", "= ".
_MARKDOWN_START: Final = re.compile(r"^(\d+)([.)])|^([-=:])")
_BREAKS: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:45rem;margin:2rem auto;padding:0 1rem;"
    "color:#1a1a1a;background:#fff}h1,h2,h3{line-height:1.2}h2{border-bottom:1px solid #767676}"
    "@media(prefers-color-scheme:dark){body{color:#f0f0f0;background:#1a1a1a}}"
)


def render(page: Page, format: Format) -> str:
    """The whole page, with a line break at its end."""
    lines = {"text": _text, "markdown": _markdown, "html": _html}[format](page)
    return "\n".join(lines) + "\n"


def _text(page: Page) -> list[str]:
    lines = [*_underlined(page.title, "="), *(wrapped for each in page.introduction for wrapped in _wrap(each, "", ""))]
    for section in page.sections:
        lines += ["", *_underlined(section.title, "-"), *_text_items(section.items)]
        for part in section.parts:
            lines += ["", *_wrap(part.title, "", ""), *_text_items(part.items)]
    return lines


def _text_items(items: Iterable[Item], indent: str = "  ") -> list[str]:
    lines = []
    for item in items:
        lines += [*_wrap(item.text, f"{indent}- ", f"{indent}  "), *_text_items(item.under, f"{indent}  ")]
    return lines


def _underlined(title: str, rule: str) -> list[str]:
    text = _one_line(title)
    return [text, rule * len(text)]


def _wrap(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        _one_line(text),
        TEXT_WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _markdown(page: Page) -> list[str]:
    lines = [f"# {_mark(page.title)}"]
    for each in page.introduction:
        lines += ["", _mark(each)]
    for section in page.sections:
        lines += ["", f"## {_mark(section.title)}"]
        if section.items:
            lines += ["", *_markdown_items(section.items)]
        for part in section.parts:
            lines += ["", f"### {_mark(part.title)}", "", *_markdown_items(part.items)]
    return lines


def _markdown_items(items: Iterable[Item], indent: str = "") -> list[str]:
    lines = []
    for item in items:
        lines += [f"{indent}- {_mark(item.text)}", *_markdown_items(item.under, f"{indent}  ")]
    return lines


def _mark(text: str) -> str:
    escaped = _MARKDOWN.sub(r"\\\1", _one_line(text))
    return _MARKDOWN_START.sub(lambda at: f"{at[1]}\\{at[2]}" if at[1] else f"\\{at[3]}", escaped)


def _html(page: Page) -> list[str]:
    title = _escape(page.title)
    lines = [
        "<!doctype html>",
        f'<html lang="{_escape(page.language)}">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        f"<h1>{title}</h1>",
        *(f"<p>{_escape(each)}</p>" for each in page.introduction),
    ]
    for number, section in enumerate(page.sections, 1):
        lines += _html_section(section, f"s{number}")
    return [*lines, "</main>", "</body>", "</html>"]


def _html_section(section: Section, id: str) -> list[str]:
    lines = [f'<section aria-labelledby="{id}">', f'<h2 id="{id}">{_escape(section.title)}</h2>']
    lines += _html_items(section.items)
    for part in section.parts:
        lines += [f"<h3>{_escape(part.title)}</h3>", *_html_items(part.items)]
    return [*lines, "</section>"]


def _html_items(items: tuple[Item, ...]) -> list[str]:
    if not items:
        return []
    lines = ["<ul>"]
    for item in items:
        under = _html_items(item.under)
        lines += [f"<li>{_escape(item.text)}", *under, "</li>"] if under else [f"<li>{_escape(item.text)}</li>"]
    return [*lines, "</ul>"]


def _escape(text: str) -> str:
    return html.escape(_one_line(text))


def _one_line(text: str) -> str:
    """Line breaks and other control characters as spaces, so no name steers a terminal; no-break spaces stay."""
    return _BREAKS.sub(" ", text)
