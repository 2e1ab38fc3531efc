"""Prometheus itself takes our rules, and the alert that is more than a bound sounds when it should."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

PROMETHEUS = Path(__file__).resolve().parents[3] / "deploy/prometheus"
BEHIND = "goodword_rewards_standings_behind_decisions"

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not here: install prometheus")


def promtool(*words: str) -> None:
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False, cwd=PROMETHEUS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_configuration_and_rules() -> None:
    promtool("check", "rules", "alerts.yml")
    promtool("check", "config", "prometheus.yml")


@pytest.mark.parametrize(("values", "sounds"), [("100x60", True), ("1000-10x60", False), ("0x60", False)])
def test_standings_that_are_behind_sound_only_when_nobody_reads(tmp_path: Path, values: str, sounds: bool) -> None:
    rules = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"][0]["rules"]
    (rule,) = (each for each in rules if each["alert"] == "StandingsBehind")
    told = {"exp_labels": rule["labels"], "exp_annotations": rule["annotations"]}
    wanted = {"eval_time": "30m", "alertname": rule["alert"], "exp_alerts": [told] if sounds else []}
    series = {"series": f'{BEHIND}{{job="goodword"}}', "values": values}
    case = {"interval": "1m", "input_series": [series], "alert_rule_test": [wanted]}
    file = tmp_path / "cases.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(PROMETHEUS / "alerts.yml")], "tests": [case]}))
    promtool("test", "rules", str(file))
