"""`goodword rules lint` and `rules schema`: exit codes, and answers for programs in the forms they know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from goodword.cli import app
from services.rules.language.checks import all_pages
from services.rules.language.schema import rule_file_schema

RUN = CliRunner()
HEAD = "schema: goodword/v1\nprogramme: partners\ncurrency: USD\ntimezone: UTC\n"
ERROR = HEAD + "rewards:\n  - {id: ü, on: deal.wonn, give: 5 USD}\n"
WARNING = (
    HEAD + "metrics: {wins: {count: deal.won}}\n"
    "rewards:\n  - {id: a, on: deal.won, to: customer, give: 5 USD, when: wins == 0}\n"
)
# What SARIF 2.1.0 (sarif-schema-2.1.0.json of OASIS) requires of the objects that we write.
_TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
_COUNTED = {"type": "integer", "minimum": 1}
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "properties": {
                                                "id": {"type": "string"},
                                                "shortDescription": _TEXT,
                                                "help": _TEXT,
                                            },
                                            "additionalProperties": False,
                                        },
                                    },
                                },
                                "additionalProperties": False,
                            }
                        },
                        "additionalProperties": False,
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": _TEXT,
                                "locations": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "properties": {
                                            "physicalLocation": {
                                                "type": "object",
                                                "required": ["artifactLocation"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "type": "object",
                                                        "properties": {"uri": {"type": "string"}},
                                                        "additionalProperties": False,
                                                    },
                                                    "region": {
                                                        "type": "object",
                                                        "required": ["startLine"],
                                                        "properties": {
                                                            "startLine": _COUNTED,
                                                            "startColumn": _COUNTED,
                                                            "endColumn": _COUNTED,
                                                        },
                                                        "additionalProperties": False,
                                                    },
                                                },
                                                "additionalProperties": False,
                                            }
                                        },
                                        "additionalProperties": False,
                                    },
                                },
                            },
                            "additionalProperties": False,
                        },
                    },
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


def written(folder: Path, text: str, name: str = "a rule.yaml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def lint(*arguments: str) -> Result:
    return RUN.invoke(app, ["rules", "lint", *arguments])


@pytest.mark.parametrize(("text", "code"), [(HEAD, 0), (WARNING, 0), (ERROR, 1)])
@pytest.mark.parametrize("form", [[], ["--json"], ["--sarif"]])
def test_the_exit_code_says_whether_there_is_an_error(tmp_path: Path, text: str, code: int, form: list[str]) -> None:
    assert lint(written(tmp_path, text), *form).exit_code == code


def test_misuse_is_told_apart_from_a_faulty_file(tmp_path: Path) -> None:
    assert lint().exit_code == 2
    assert lint(str(tmp_path / "nowhere.yaml")).exit_code == 2
    assert lint(written(tmp_path, HEAD), "--json", "--sarif").exit_code == 2
    assert lint("--explain", "no-such-check").exit_code == 2


def test_several_files_are_all_checked(tmp_path: Path) -> None:
    files = [
        written(tmp_path, ERROR, "a.yaml"),
        written(tmp_path, WARNING, "b.yaml"),
        written(tmp_path, HEAD, "c.yaml"),
    ]
    found = json.loads(lint(*files, "--json").stdout)
    assert {(Path(each["path"]).name, each["severity"]) for each in found} == {
        ("a.yaml", "error"),
        ("b.yaml", "warning"),
    }


@pytest.mark.parametrize("code", [page.code for page in all_pages()])
def test_every_check_can_be_explained(code: str) -> None:
    shown = lint("--explain", code)
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"# {code}\n")
    assert "## Instead" in shown.stdout


def test_a_misspelt_check_is_answered_with_the_nearest() -> None:
    assert "did you mean unknown-path?" in lint("--explain", "unknown-pth").stderr


def test_sarif_has_the_shape_that_code_hosts_require(tmp_path: Path) -> None:
    file = written(tmp_path, ERROR)
    log: dict[str, Any] = json.loads(lint(file, "--sarif").stdout)
    assert [error.message for error in Draft202012Validator(SARIF).iter_errors(log)] == []
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [page.code for page in all_pages()]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    located = run["results"][-1]["locations"][0]["physicalLocation"]
    assert located["artifactLocation"]["uri"] == (tmp_path / "a rule.yaml").as_uri()
    line = ERROR.splitlines()[located["region"]["startLine"] - 1]
    assert line[located["region"]["startColumn"] - 1 : located["region"]["endColumn"] - 1] == "deal.wonn"


def test_sarif_of_a_clean_file_has_no_results(tmp_path: Path) -> None:
    assert json.loads(lint(written(tmp_path, HEAD), "--sarif").stdout)["runs"][0]["results"] == []


def test_sarif_names_files_by_relative_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, ERROR, "a:b %.yaml")
    monkeypatch.chdir(tmp_path)
    log = json.loads(lint("a:b %.yaml", "--sarif").stdout)
    (uri,) = {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in log["runs"][0]["results"]}
    assert uri == "a%3Ab%20%25.yaml"


def test_a_file_that_never_ends_is_refused(tmp_path: Path) -> None:
    endless = Path("/dev/zero")
    if not endless.exists():
        pytest.skip("no /dev/zero here")
    shown = lint(str(endless))
    assert shown.exit_code == 1
    assert "file-over-limit" in shown.stdout


def test_schema_prints_what_is_in_docs() -> None:
    shown = RUN.invoke(app, ["rules", "schema"])
    assert shown.exit_code == 0
    assert json.loads(shown.stdout) == rule_file_schema()
    committed = Path(__file__).resolve().parents[3] / "docs" / "rules.schema.json"
    assert committed.read_text(encoding="utf-8") == shown.stdout
