"""The checks of rule files: one module per problem, named after it.

The code of a problem is its module's name with dashes. A module's docstring is its page, always under the same
headings; `goodword rules lint --explain CODE` and docs/rules.md#lint print it from here.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CheckPage:
    """What a check says about itself: its code, one sentence, and the page under fixed headings (Markdown)."""

    code: str
    sentence: str
    page: str


def all_pages() -> list[CheckPage]:
    """The pages of all checks, by code."""
    return [_page_of(module.name) for module in sorted(pkgutil.iter_modules(__path__), key=lambda each: each.name)]


def explain(code: str) -> str | None:
    """The page of one code, or None when there is no such check."""
    for page in all_pages():
        if page.code == code:
            return f"# {code}\n\n{page.sentence}\n\n{page.page}"
    return None


def _page_of(name: str) -> CheckPage:
    doc = importlib.import_module(f"{__name__}.{name}").__doc__ or ""
    sentence, _, page = doc.strip().partition("\n\n")
    return CheckPage(code=name.replace("_", "-"), sentence=sentence, page=page)
