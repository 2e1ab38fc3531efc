"""Generated parts of the docs are fresh."""

from __future__ import annotations

from pathlib import Path

from goodword.generate import PARTS, fill, main

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_generated_parts_of_the_docs_are_fresh() -> None:
    assert main(DOCS, check=True) == 0


def test_every_generated_part_is_on_some_page() -> None:
    pages = "".join(page.read_text() for page in DOCS.rglob("*.md"))
    assert [name for name in PARTS if f"<!-- generated: {name} -->" not in pages] == []


def test_prose_around_a_generated_part_is_kept() -> None:
    filled = fill("before\n<!-- generated: topics -->\nold\n<!-- end -->\nafter\n")
    assert filled.startswith("before\n")
    assert filled.endswith("after\n")
    assert "old" not in filled
    assert "goodword.referrals" in filled
