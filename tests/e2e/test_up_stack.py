"""`goodword up` as a user meets it: the demo, a service killed, everything killed, started again on the same data."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from runtime.metrics import CATALOGUE
from services.rewards.invariants import INVARIANTS
from tests.support.stack import UpStack

DEADLINE_S = 90
pytestmark = pytest.mark.slow


def until(holds: Callable[[], object], stack: UpStack) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, stack.words()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpStack]:
    """A stack with the demo in it. The tests below use it one after the other."""
    stack = UpStack(tmp_path_factory.mktemp("up") / "data")
    stack.start("--demo")
    until(lambda: "Ctrl-C stops everything." in stack.output.read_text(), stack)
    yield stack
    if stack.is_up:
        stack.stop()


@pytest.fixture(scope="module")
def demo(stack: UpStack) -> tuple[dict[tuple[str, str], int], dict[str, str | None]]:
    return stack.balances(), stack.tiers()


def test_the_demo_shows_tiers_balances_reasons_and_mails(
    stack: UpStack, demo: tuple[dict[tuple[str, str], int], dict[str, str | None]]
) -> None:
    balances, tiers = demo
    assert set(tiers.values()) == {"bronze", "silver", "gold"}
    assert balances["partner:harbour-consulting:available", "USD"] > 0
    assert all(row["minor"] == 0 for row in stack.json("ledger", "trial-balance"))
    told = stack.output.read_text()
    assert "Why was this paid?" in told
    assert "✓ deal.amount >= 500 USD" in told
    sent = stack.json("mails", "list", "--outcome", "sent", "--limit", "1000")
    page = stack.state.mail_page
    assert page is not None
    assert len(sent) == len(httpx.get(f"{page}/api/mails", params={"limit": 1_000}).json()["mails"]) > 20


def test_every_metric_of_the_catalogue_is_shown_by_the_service_that_has_it(stack: UpStack) -> None:
    for service, place in stack.state.services.items():
        shown = httpx.get(f"{place.url}/metrics").text
        samples = {line.partition(" ")[0].partition("{")[0] for line in shown.splitlines() if not line.startswith("#")}
        # What has open labels shows its name before its first value.
        names = samples | set(re.findall(r"^# TYPE (\S+)", shown, re.MULTILINE))
        for metric in CATALOGUE:
            if service in metric.services:
                name = f"goodword_{service}_{metric.what}"
                is_closed = all(metric.labels.values())
                assert (f"{name}_count" if metric.kind == "histogram" else name) in (samples if is_closed else names)
        assert "goodword_build_info" in samples
    rewards = httpx.get(f"{stack.state.services['rewards'].url}/metrics").text
    offenders = dict(
        re.findall(r'^goodword_rewards_invariant_offenders\{invariant="(\S+)"\} (\S+)', rewards, re.MULTILINE)
    )
    assert offenders == {invariant.name: "0.0" for invariant in INVARIANTS}
    assert 'goodword_rewards_dlq_depth_records{topic="goodword.decisions"} 0.0' in rewards
    assert "goodword_rewards_standings_behind_decisions 0.0" in rewards


def test_a_cent_of_the_demo_is_explained_back_to_its_lead_and_an_event_forth_to_its_money(stack: UpStack) -> None:
    account = "partner:harbour-consulting:available"
    (posting, *_) = stack.json("ledger", "statement", account, "--limit", "1")["postings"]
    transfer = posting["transfer"]
    back = stack.json("ledger", "explain", transfer["id"])
    assert [one["id"] for one in back["decisions"]] == [transfer["decision"]]
    assert back["decisions"][0]["trace"]
    told = {one["type"]: one for one in back["origins"]}
    assert told["deal.won"]["id"] == transfer["event_id"]
    assert told["lead.registered"]["time"] < told["deal.won"]["time"]
    assert told["lead.registered"]["attribution"] in {"named", "code"}
    forth = stack.json("ledger", "explain", transfer["event_source"], transfer["event_id"])
    assert transfer["id"] in [one["id"] for one in forth["transfers"]]
    assert "lead.registered" in stack.run("ledger", "explain", transfer["id"]).stdout
    assert stack.json("ledger", "trial-balance", "--as-of", transfer["effective_at"])[0]["minor"] == 0


def test_a_link_of_the_demo_redirects_to_its_own_target(stack: UpStack) -> None:
    answer = httpx.get(f"{stack.state.services['tracking'].url}/r/harbour")
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("https://cloud-desk.example/try")


def test_a_killed_service_is_started_again_and_status_tells_the_difference(stack: UpStack) -> None:
    before = stack.state.children["rules"]
    stack.kill("rules")
    until(lambda: stack.state.children["rules"] not in {0, before}, stack)
    stack.wait_ready()
    assert stack.json("status")["serves"] is True


def test_killed_servers_are_started_again(stack: UpStack) -> None:
    for name in ("valkey", "postgres"):
        before = stack.server_pid(name)
        stack.kill(name)

        def is_back(name: str = name, before: int = before) -> bool:
            return stack.server_pid(name) not in {0, before}

        until(is_back, stack)
        stack.wait_ready()


def test_a_second_up_on_the_folder_or_its_ports_is_refused_with_the_reason(stack: UpStack, tmp_path: Path) -> None:
    def up(folder: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "goodword", "up", "--data", str(folder), "--port", str(stack.port)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    same_folder = up(stack.folder)
    assert same_folder.returncode == 1
    assert "already-running" in same_folder.stderr
    same_ports = up(tmp_path / "other")
    assert same_ports.returncode == 1
    assert f"port {stack.port}, wanted for the tracking service, is taken by process" in same_ports.stderr
    assert "goodword serve tracking" in same_ports.stderr
    assert "--port" in same_ports.stderr
    assert stack.run("status").returncode == 0


def test_everything_killed_and_the_demo_run_again_changes_nothing(
    stack: UpStack, demo: tuple[dict[tuple[str, str], int], dict[str, str | None]]
) -> None:
    mails = stack.query("SELECT fact_id, kind, state FROM notify.mails ORDER BY fact_id, kind")
    children = list(stack.state.children.values())
    stack.kill_all()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children if pid), stack)
    assert stack.run("status", check=False).returncode == 1
    # It ends by itself, maybe before anybody could ask whether it is ready.
    command = [sys.executable, "-m", "goodword", "up", "--data", str(stack.folder), "--port", str(stack.port)]
    drained = subprocess.run(
        [*command, "--demo", "--exit-when-drained"], capture_output=True, text=True, timeout=180, check=False
    )
    told = drained.stdout + drained.stderr
    assert drained.returncode == 0, told
    assert "108 there already" in told
    assert "(unchanged)" in told
    stack.start()
    assert (stack.balances(), stack.tiers()) == demo
    assert stack.query("SELECT fact_id, kind, state FROM notify.mails ORDER BY fact_id, kind") == mails


def test_services_do_not_outlive_an_up_that_is_killed(stack: UpStack) -> None:
    children = [pid for pid in stack.state.children.values() if pid]
    assert stack._process is not None
    stack._process.kill()
    stack._process.wait(30)
    until(lambda: not any(_is_alive(pid) for pid in children), stack)
    stack.start()
    assert stack.run("status").returncode == 0


def test_a_service_that_dies_again_and_again_ends_everything_loudly(stack: UpStack) -> None:
    stack.stop()
    broken = UpStack(stack.folder, {"GOODWORD_RULES_CACHE_BYTES_MAX": "3"})
    command = [sys.executable, "-m", "goodword", "up", "--data", str(stack.folder), "--port", str(broken.port)]
    environment = os.environ | {"GOODWORD_RULES_CACHE_BYTES_MAX": "3"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 1
    assert "dies-again-and-again" in done.stderr
    assert "GOODWORD_RULES_CACHE_BYTES_MAX" in done.stderr
    assert "stopping PostgreSQL" in done.stderr


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
