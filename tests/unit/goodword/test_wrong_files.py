"""A file that is not what a command needs leads to a clear error: what, where, what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from goodword.cli import app

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "saas-partners"
RULES = str(EXAMPLE / "programme.yaml")
MAPPING = """\
schema: goodword/mapping/v1
source: crm/x
programme: p
events:
  - {type: lead.registered, id: 'a-{a}', time: {from: b}, data: {lead: {id: '{a}'}}}
"""
FILES = {
    "empty": b"",
    "folder": None,
    "rules-in-utf-16.yaml": (EXAMPLE / "programme.yaml").read_text(encoding="utf-8").encode("utf-16"),
    "rules-in-latin-1.yaml": "programme: caf\xe9".encode("latin-1"),
    "events-in-utf-16.ndjson": '{"specversion": "1.0"}\n'.encode("utf-16"),
    "in-utf-16.csv": "a,b\n1,2\n".encode("utf-16"),
    "plain.csv": b"a,b\n1,2\n",
    "mapping.yaml": MAPPING.encode(),
}
IMPORT = ("events", "import", "--dry-run")
BACKTEST = ("rules", "backtest", RULES, "--against")
WRONG = {
    "rules in UTF-16": (("rules", "lint", "rules-in-utf-16.yaml"), 1, "save it as UTF-8"),
    "rules in latin-1": (("rules", "test", "rules-in-latin-1.yaml"), 2, "save it as UTF-8"),
    "rules that are a folder": (("rules", "lint", "folder"), 2, "at: folder"),
    "nothing in the rules": (("rules", "test", "empty"), 2, "the file is empty"),
    "events in UTF-16": ((*IMPORT, "events-in-utf-16.ndjson"), 1, "it is UTF-16, not UTF-8"),
    "rows in UTF-16": ((*IMPORT, "in-utf-16.csv", "--mapping", "mapping.yaml"), 1, "it is UTF-16, not UTF-8"),
    "events that are a folder": ((*IMPORT, "folder"), 1, "it is a folder: name the files in it"),
    "no events": ((*IMPORT, "empty"), 0, "there is nothing to import"),
    "nothing in the mapping": ((*IMPORT, "plain.csv", "--mapping", "empty"), 1, "the mapping is empty"),
    "a text as a mapping": ((*IMPORT, "plain.csv", "--mapping", "plain.csv"), 1, "begins with schema: goodword/map"),
    "other rules that are not there": ((*BACKTEST, "gone.yaml", "--events", "empty"), 2, "at: gone.yaml"),
    "a back-test of no events": ((*BACKTEST, RULES, "--events", "empty"), 1, "no line is an event"),
    "a back-test of rows": ((*BACKTEST, RULES, "--events", "plain.csv"), 1, "passed over: 2"),
}


@pytest.mark.parametrize(("command", "exit_code", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_told_with_what_to_do(
    command: tuple[str, ...], exit_code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in FILES.items():
        if content is None:
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, list(command))
    assert result.exit_code == exit_code, result.output
    assert said in " ".join(result.output.split())
    assert result.exception is None or isinstance(result.exception, SystemExit)
