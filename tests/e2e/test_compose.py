"""docker-compose.yml comes up healthy, and the CRM import through it ends equal to the oracle, to the cent."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.crm_oracle import expected
from tests.support.crm import FOLDER
from tests.support.data import require_data_folder
from tests.support.stack import free_ports

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "crm-pipeline"
PROJECT = f"goodwordtest{os.getpid()}"
IMAGE = f"goodword:test-{os.getpid()}"
"""Its own: on a machine with other work on it, `goodword:local` may be somebody else's."""
UP_S_MAX = 240.0
SERVERS = ("kafka", "postgres", "valkey", "mailsink", "tracking", "rules", "rewards", "notify")
PORTS = ("KAFKA", "POSTGRES", "REDIS", "MAIL", "TRACKING", "RULES", "REWARDS", "NOTIFY", "PROMETHEUS")

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200)]


def compose_command() -> list[str]:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no Docker engine answers on this machine")
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.skip("neither `docker compose` nor `docker-compose` is installed")


class Compose:
    """The stack of docker-compose.yml under a project name and ports of its own."""

    def __init__(self) -> None:
        base = free_ports(len(PORTS))
        self.ports = {name: base + place for place, name in enumerate(PORTS)}
        ports = {f"GOODWORD_{name}_PORT": str(port) for name, port in self.ports.items()}
        self._command = [*compose_command(), "-p", PROJECT, "-f", str(ROOT / "docker-compose.yml")]
        self._environment = (
            os.environ | ports | {"GOODWORD_IMAGE": IMAGE, "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}
        )

    def run(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            [*self._command, *arguments], capture_output=True, text=True, check=False, env=self._environment, cwd=ROOT
        )
        if check and done.returncode:
            raise AssertionError(f"compose {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def health(self, server: str) -> str:
        container = self.run("ps", "-q", server).strip()
        shown = [
            "docker",
            "inspect",
            "-f",
            "{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}",
            container,
        ]
        return subprocess.run(shown, capture_output=True, text=True, check=False).stdout.strip()

    def up(self) -> None:
        """Build, start, and wait until every server is healthy."""
        # Plain builds on some machines need the host's network to reach package registries.
        image = ["docker", "build", "-q", "--network", "host", "-f", "deploy/Dockerfile", "-t", IMAGE, "."]
        built = subprocess.run(image, capture_output=True, text=True, check=False, env=self._environment, cwd=ROOT)
        assert built.returncode == 0, f"the image was not built:\n{built.stdout[-2000:]}\n{built.stderr[-2000:]}"
        self.run("up", "-d", "--no-build")
        deadline = time.monotonic() + UP_S_MAX
        while True:
            states = {server: self.health(server) for server in SERVERS}
            if all(state == "running healthy" for state in states.values()):
                return
            logs = "" if time.monotonic() < deadline else self.run("logs", "--tail", "20", check=False)
            assert time.monotonic() < deadline, f"not healthy: {states}\n{logs}"
            time.sleep(1)

    def goodword(self, *arguments: str, exit_code: int = 0) -> str:
        """A command of this checkout against the containers, by URLs."""
        url = "http://127.0.0.1:{}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GOODWORD_")}
        environment = clean | {
            "GOODWORD_KAFKA": f"localhost:{self.ports['KAFKA']}",
            "GOODWORD_POSTGRES": f"postgresql://goodword:goodword-trial@127.0.0.1:{self.ports['POSTGRES']}/goodword",
            "GOODWORD_REDIS": f"redis://127.0.0.1:{self.ports['REDIS']}/0",
            "GOODWORD_ADMIN_KEY": "trial-admin-key",
            **{
                f"GOODWORD_{name}_URL": url.format(self.ports[name])
                for name in ("TRACKING", "RULES", "REWARDS", "NOTIFY")
            },
        }
        done = subprocess.run(
            [sys.executable, "-m", "goodword", *arguments],
            capture_output=True, text=True, timeout=600, check=False, env=environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode != exit_code:
            logs = self.run("logs", "--tail", "15", check=False)
            raise AssertionError(
                f"goodword {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}\n{logs}"
            )
        return done.stdout


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    running = Compose()
    try:
        running.up()
        yield running
    finally:
        running.run("down", "--volumes", "--timeout", "20", check=False)
        subprocess.run(["docker", "rmi", IMAGE], capture_output=True, check=False)


def test_the_crm_import_through_containers_equals_the_oracle(compose: Compose) -> None:
    data = require_data_folder(FOLDER)
    # The services ask for a second person, and the command line asks no less than they do.
    waiting = compose.goodword("rules", "publish", str(EXAMPLE / "programme.yaml"), "--as", "ana", exit_code=1)
    assert "not in force" in waiting
    compose.goodword("rules", "approve", "crm-sales", "1", "--as", "ana", exit_code=1)
    compose.goodword("rules", "approve", "crm-sales", "1", "--as", "ben")
    arguments = (
        "events",
        "import",
        str(data / "sales_pipeline.csv"),
        "--mapping",
        str(EXAMPLE / "mapping.yaml"),
        "--wait",
    )
    compose.goodword(*arguments)
    rows = json.loads(compose.goodword("ledger", "balances", "--json"))
    assert {(row["account"], row["unit"]): row["minor"] for row in rows} == expected(data).balances
    again = json.loads(compose.goodword(*arguments, "--json"))
    assert again["accepted"] == 0
    assert json.loads(compose.goodword("ledger", "balances", "--json")) == rows


def test_prometheus_sees_all_four_services(compose: Compose) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            up = prometheus(compose, "up%7Bjob%3D%22goodword%22%7D")
        except OSError:
            up = []
        if {row["metric"]["service"] for row in up if row["value"][1] == "1"} == {
            "tracking",
            "rules",
            "rewards",
            "notify",
        }:
            break
        assert time.monotonic() < deadline, up
        time.sleep(1)
    assert all(float(row["value"][1]) == 0 for row in prometheus(compose, "goodword_rewards_trial_balance_minor"))


def test_containers_run_as_an_ordinary_user(compose: Compose) -> None:
    assert compose.run("exec", "-T", "rules", "id", "-u").strip() == "10001"


def prometheus(compose: Compose, query: str) -> list[dict[str, Any]]:
    url = f"http://127.0.0.1:{compose.ports['PROMETHEUS']}/api/v1/query?query={query}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        rows: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return rows
