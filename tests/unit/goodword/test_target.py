"""Which stack a command talks to, and what the data folder refuses."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import PermanentError
from goodword.embedded.failure import ServerFailed
from goodword.embedded.folder import ServiceAddress, StackFolder, StackState
from goodword.target import find_target


@pytest.fixture(autouse=True)
def _no_stack_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("GOODWORD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def running(tmp_path: Path) -> Any:
    folder = StackFolder(tmp_path / "stack")
    folder.prepare()
    folder.write(
        StackState(
            postgres="postgresql://here", redis="redis://here", services={"tracking": ServiceAddress("http://t", 7)}
        )
    )
    yield folder
    folder.release()


def code_of(data: Path | None = None) -> str:
    with pytest.raises(PermanentError) as error:
        find_target(data)
    assert error.value.problem.help
    return error.value.problem.code


def test_without_any_stack_it_says_how_to_start_or_name_one() -> None:
    assert code_of() == "no-stack"


def test_a_folder_that_never_had_a_stack_is_told_from_one_that_is_down(running: StackFolder, tmp_path: Path) -> None:
    assert code_of(tmp_path / "other") == "no-stack"
    running.release()
    assert code_of(running.path) == "stack-not-running"


def test_a_running_folder_is_found_with_its_key(running: StackFolder) -> None:
    target = find_target(running.path)
    assert target.postgres == "postgresql://here"
    assert target.service("tracking") == "http://t"
    assert target.key() == (running.path / "admin.key").read_text().strip()


def test_a_named_folder_comes_before_urls(running: StackFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOODWORD_POSTGRES", "postgresql://url")
    assert find_target(running.path).postgres == "postgresql://here"
    assert find_target(None).postgres == "postgresql://url"
    monkeypatch.setenv("GOODWORD_DATA", str(running.path))
    assert find_target(None).postgres == "postgresql://here"


def test_urls_name_a_stack_of_real_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOODWORD_POSTGRES", "postgresql://url")
    monkeypatch.setenv("GOODWORD_REDIS", "redis://url")
    monkeypatch.setenv("GOODWORD_KAFKA", "kafka:9092")
    monkeypatch.setenv("GOODWORD_TRACKING_URL", "http://tracking:8710/")
    monkeypatch.setenv("GOODWORD_ADMIN_KEY", "secret")
    target = find_target(None)
    assert (target.kafka, target.redis, target.key()) == ("kafka:9092", "redis://url", "secret")
    assert target.service("tracking") == "http://tracking:8710"


def test_services_that_no_url_names_are_looked_for_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOODWORD_POSTGRES", "postgresql://url")
    monkeypatch.setenv("GOODWORD_REWARDS_URL", "http://ledger")
    assert find_target(None).services == {
        "tracking": "http://127.0.0.1:8710",
        "rules": "http://127.0.0.1:8711",
        "rewards": "http://ledger",
        "notify": "http://127.0.0.1:8713",
    }


def test_secrets_are_readable_by_their_owner_only(running: StackFolder) -> None:
    running.admin_key()
    for name in ("stack.json", "admin.key"):
        assert (running.path / name).stat().st_mode & 0o077 == 0


def failure_of(folder: StackFolder) -> str:
    with pytest.raises(ServerFailed) as failure:
        folder.prepare()
    folder.release()
    assert failure.value.problem.help
    return failure.value.problem.code


def test_two_stacks_never_share_a_folder(running: StackFolder) -> None:
    assert failure_of(StackFolder(running.path)) == "already-running"
    running.release()
    second = StackFolder(running.path)
    second.prepare()
    second.release()


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert failure_of(StackFolder(tmp_path / "file" / "data")) == "folder-not-writable"


def test_data_of_another_version_is_refused(running: StackFolder) -> None:
    running.release()
    (running.path / "postgres").mkdir()
    (running.path / "postgres" / "PG_VERSION").write_text("9\n")
    assert failure_of(StackFolder(running.path)) == "other-version"
    (running.path / "postgres" / "PG_VERSION").unlink()
    (running.path / "stack.json").write_text(json.dumps({"format": 99}))
    assert failure_of(StackFolder(running.path)) == "other-version"


def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from goodword.embedded import folder

    monkeypatch.setattr(folder, "FREE_BYTES_MIN", 2**60)
    assert failure_of(StackFolder(tmp_path / "d")) == "disk-full"
