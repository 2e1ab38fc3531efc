"""What the pages show works: every fenced block is of a language that is checked here, or a picture (`text`).

Events are judged as the front door would, mappings and rule sets are read, commands and their options exist.
`docs/rules.md` has closer tests of its own, beside the language.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from typer.main import get_command

from goodword.cli import app
from goodword.importing.batches import Batch
from goodword.importing.checking import check_batch
from goodword.importing.mapping import _TextLoader, read_mapping
from services.rewards.catalogue.reading import read_catalogue
from services.rules.language import lint_text

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "services/*/README.md", "examples/*/README.md")
    for page in ROOT.glob(pattern)
)
LANGUAGES = {"console", "json", "yaml", "text"}


class Block(NamedTuple):
    page: str
    line: int
    language: str
    text: str


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            yield Block(str(page.relative_to(ROOT)), text[: found.start()].count("\n") + 1, found[1], found[2])


BLOCKS = list(blocks())


def cases(language: str) -> list[object]:
    return [pytest.param(one, id=f"{one.page}:{one.line}") for one in BLOCKS if one.language == language]


def test_every_block_says_what_it_is() -> None:
    assert [f"{one.page}:{one.line}" for one in BLOCKS if one.language not in LANGUAGES] == []


@pytest.mark.parametrize("block", cases("json"))
def test_an_event_that_is_shown_is_one_that_the_front_door_takes(block: Block) -> None:
    shown = json.loads(block.text)
    if "specversion" in shown:
        line = json.dumps(shown).encode()
        answer = check_batch(Batch([line], [(block.page, block.line)]))
        assert (answer.accepted, answer.rejected) == (1, [])


def test_rule_sets_that_are_shown_have_no_problems() -> None:
    shown = [one for one in BLOCKS if one.language == "yaml" and "schema: goodword/v1" in one.text]
    assert shown
    # The whole language is shown; what this version refuses of it is said beside it.
    problems = {f"{one.page}:{one.line}": lint_text(one.text, one.page) for one in shown}
    assert {place: found for place, found in problems.items() if found} == {}


def test_catalogues_that_are_shown_have_no_problems() -> None:
    shown = [one for one in BLOCKS if one.language == "yaml" and "schema: goodword/catalogue/" in one.text]
    assert shown
    for block in shown:
        assert read_catalogue(block.text, path=f"{block.page}:{block.line}").items


def test_the_parts_of_a_mapping_that_are_shown_make_a_mapping(tmp_path: Path) -> None:
    mapping: dict[str, object] = {}
    for block in BLOCKS:
        if block.language == "yaml" and block.page == "docs/importing.md":
            mapping |= yaml.load(block.text, Loader=_TextLoader)
    file = tmp_path / "mapping.yaml"
    file.write_text(json.dumps(mapping))  # Which is YAML, and takes nothing for a boolean.
    assert read_mapping(file).programme == "crm-sales"


def command_lines() -> Iterator[object]:
    for block in BLOCKS:
        if block.language == "console":
            for number, line in enumerate(block.text.splitlines(), block.line + 1):
                yield pytest.param(line, id=f"{block.page}:{number}")
    for page in PAGES:
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            for place, command in enumerate(re.findall(r"`((?:goodword|make) [^`]+)`", line)):
                yield pytest.param(command, id=f"{page.relative_to(ROOT)}:{number}:{place}")


@pytest.mark.parametrize("line", command_lines())
def test_a_command_that_is_shown_exists_with_its_options(line: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in one_by_one(line):
        if words[0] == "make":
            named = [word for word in words[1:] if re.fullmatch(r"[a-z-]+", word)]
            assert set(named) <= targets
        elif words[0] == "goodword":
            check_command(words[1:])


def one_by_one(line: str) -> Iterator[list[str]]:
    """The commands of a line: `a && b | c &` without its comment."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, "&"]:
        if word.strip("&|;"):
            words.append(word)
        elif words:
            yield words
            words = []


def check_command(words: list[str]) -> None:
    command = get_command(app)
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        if "|" in words[0] or "…" in words[0] or words[0].isupper():
            return  # A placeholder or a choice, as in `goodword dlq list|show`.
        assert words[0] in command.commands, f"{command.name} has no command {words[0]!r}"
        command = command.commands[words[0]]
        words = words[1:]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    known |= {"--help", "--install-completion", "--show-completion"}
    for word in words:
        option = word.strip("[]").partition("=")[0]
        assert not option.startswith("--") or option in known, f"{command.name} has no option {option}"
