"""The chart: every setting it names is one, ports and safeguards are those of the services, and Helm renders it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from runtime.settings import Settings
from services.notify.settings import NotifySettings
from services.rewards.settings import RewardsSettings
from services.rules.settings import RulesSettings
from services.tracking.settings import TrackingSettings

CHART: Final = Path(__file__).parents[3] / "deploy/chart"
SERVICES: Final[dict[str, type[Settings]]] = {
    "tracking": TrackingSettings,
    "rules": RulesSettings,
    "rewards": RewardsSettings,
    "notify": NotifySettings,
}
SECRETS_DIR: Final = "GOODWORD_SECRETS_DIR"
EVERYTHING_ON: Final = (
    "ingress.enabled=true",
    "ingress.host=refer.example.com",
    "ingress.tlsSecret=refer-tls",
    "monitoring.enabled=true",
    "networkPolicy.enabled=true",
    "networkPolicy.allowedNamespaceLabels.team=sre",
    "services.tracking.autoscaling.enabled=true",
    "settings.GOODWORD_BATCH_BYTES_MAX=8388608",
)


def _names(settings: type[Settings]) -> set[str]:
    return {f"GOODWORD_{name.upper()}" for name in settings.model_fields}


def _values() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return values


def _helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    helm = shutil.which("helm")
    if helm is None:
        pytest.skip("helm is not installed here")
    return subprocess.run([helm, *arguments], capture_output=True, text=True, check=False, timeout=60)


def _rendered(*assignments: str) -> list[dict[str, Any]]:
    flags = [part for assignment in ("existingSecret=goodword", *assignments) for part in ("--set", assignment)]
    done = _helm("template", "acme", str(CHART), "--kube-version", "1.31.0", *flags)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def _environment(deployment: dict[str, Any]) -> dict[str, str]:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


def _deployments(documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        each["metadata"]["labels"]["app.kubernetes.io/component"]: each
        for each in documents
        if each["kind"] == "Deployment"
    }


def test_every_setting_in_the_values_is_a_setting() -> None:
    values = _values()
    common = set.intersection(*map(_names, SERVICES.values()))
    assert set(values["settings"]) <= common
    for service, settings in SERVICES.items():
        assert set(values["services"][service]["settings"]) <= _names(settings)


def test_every_setting_that_the_comments_and_templates_name_is_one() -> None:
    known = set.union(*map(_names, SERVICES.values())) | {SECRETS_DIR}
    for file in (CHART / "values.yaml", CHART / "templates/_helpers.tpl"):
        named = {name.upper() for name in re.findall(r"\b(?:GOODWORD|goodword)_[A-Za-z_]*[A-Za-z]", file.read_text())}
        assert named - known == set(), file.name


def test_the_ports_are_those_of_the_services() -> None:
    line = re.search(r"dict (\"tracking\".*?)\)", (CHART / "templates/_helpers.tpl").read_text())
    assert line is not None
    words = line[1].split()
    ports = dict(zip((word.strip('"') for word in words[::2]), map(int, words[1::2]), strict=True))
    assert ports == {service: settings.port_default for service, settings in SERVICES.items()}


def test_the_schema_asks_for_the_secret_that_the_default_values_leave_out() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert schema["properties"]["existingSecret"]["minLength"] == 1
    assert _values()["existingSecret"] == ""


def test_helm_finds_no_fault_with_the_chart() -> None:
    done = _helm("lint", "--strict", str(CHART), "--set", "existingSecret=goodword")
    assert done.returncode == 0, done.stdout + done.stderr


def test_helm_refuses_to_install_without_the_secret() -> None:
    done = _helm("template", "acme", str(CHART))
    assert done.returncode != 0
    assert "existingSecret" in done.stderr


@pytest.mark.parametrize("assignments", [(), EVERYTHING_ON], ids=["default", "everything on"])
def test_each_service_runs_with_settings_that_it_knows(assignments: tuple[str, ...]) -> None:
    deployments = _deployments(_rendered(*assignments))
    assert deployments.keys() == SERVICES.keys()
    for service, settings in SERVICES.items():
        environment = _environment(deployments[service])
        assert environment.keys() <= _names(settings) | {SECRETS_DIR}
        given = {name.removeprefix("GOODWORD_").lower(): value for name, value in environment.items()}
        given.pop("secrets_dir")
        settings.model_validate(given)


def test_a_second_person_and_a_back_test_are_asked_for_unless_it_is_turned_off() -> None:
    names = ("GOODWORD_RULES_REQUIRE_APPROVAL", "GOODWORD_RULES_REQUIRE_BACKTEST")
    deployments = _deployments(_rendered())
    environment = _environment(deployments["rules"])
    assert [environment[name] for name in names] == ["true", "true"]
    assert _environment(deployments["rewards"])["GOODWORD_REWARDS_REQUIRE_APPROVAL"] == "true"
    trial = _environment(_deployments(_rendered("approval.rules=false", "approval.backtest=false"))["rules"])
    assert [trial[name] for name in names] == ["false", "false"]


def test_a_service_s_own_setting_goes_before_everybody_s_and_whole_numbers_stay_whole() -> None:
    documents = _rendered(
        "settings.GOODWORD_BATCH_BYTES_MAX=8388608", "services.rules.settings.GOODWORD_BATCH_BYTES_MAX=16777216"
    )
    found = {
        service: _environment(each)["GOODWORD_BATCH_BYTES_MAX"] for service, each in _deployments(documents).items()
    }
    assert found == {"tracking": "8388608", "rules": "16777216", "rewards": "8388608", "notify": "8388608"}


def test_the_alerts_go_along_and_nothing_but_the_front_door_is_outside() -> None:
    documents = _rendered(*EVERYTHING_ON)
    (alerts,) = (each for each in documents if each["kind"] == "PrometheusRule")
    wanted = yaml.safe_load((CHART.parent / "prometheus/alerts.yml").read_text())
    assert alerts["spec"] == wanted
    (ingress,) = (each for each in documents if each["kind"] == "Ingress")
    (rule,) = ingress["spec"]["rules"]
    assert {path["backend"]["service"]["name"] for path in rule["http"]["paths"]} == {"acme-tracking"}


def test_no_container_may_write_or_become_more_than_it_is() -> None:
    for deployment in _deployments(_rendered()).values():
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
