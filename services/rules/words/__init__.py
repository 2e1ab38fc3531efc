"""A programme in plain words, for partners: what `goodword rules show` prints (docs/rules.md#in-plain-words).

`describe` makes a page, in one of `LANGUAGES`, from a rule set; `render` writes it as text, Markdown or HTML. Pure:
the same rule set gives the same bytes. What was agreed with one partner is only on that partner's own page.
"""

from __future__ import annotations

from services.rules.words.catalogue import LANGUAGES
from services.rules.words.describe import describe
from services.rules.words.page import Item, Page, Section
from services.rules.words.render import FORMATS, render

__all__ = ["FORMATS", "LANGUAGES", "Item", "Page", "Section", "describe", "render"]
