"""What the service shows of itself stays bounded."""

from __future__ import annotations

from runtime.metrics import Metrics
from services.rules.fold import FoldResult
from services.rules.observe import RulesObserver
from tests.unit.rules.test_rules_encode import decision


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"goodword_rules_{name}", labels) or 0.0


def test_rules_beyond_the_cap_are_counted_as_other() -> None:
    metrics = Metrics("rules")
    observer = RulesObserver(metrics, rule_labels_max=2)
    for rule in ("a", "b", "c", "d", "a"):
        made = decision("1", 0, granted=rule == "a")
        made = type(made)(**{name: getattr(made, name) for name in made.__struct_fields__} | {"rule": rule})
        observer.folded(FoldResult([made], [""], []), 0.01)
    labels = {"programme": "p", "verdict": "granted", "rule": "a"}
    assert value(metrics, "decisions_total", **labels) == 2
    assert value(metrics, "decisions_total", programme="other", rule="other", verdict="denied") == 2
    assert value(metrics, "fold_duration_seconds_count") == 5
