"""What the service shows of itself stays bounded and tells the truth about lag."""

from __future__ import annotations

from runtime.bus.open import open_bus
from runtime.metrics import Metrics
from services.rules.fold import FoldResult
from services.rules.observe import Housekeeping, RulesObserver
from tests.unit.rules.test_rules_encode import decision


class MovableClock:
    def __init__(self) -> None:
        self.ms = 1_000_000

    def now_ms(self) -> int:
        return self.ms


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"goodword_rules_{name}", labels) or 0.0


def test_rules_beyond_the_cap_are_counted_as_other() -> None:
    metrics = Metrics("rules")
    observer = RulesObserver(metrics, clock=MovableClock(), rule_labels_max=2)
    for rule in ("a", "b", "c", "d", "a"):
        made = decision("1", 0, granted=rule == "a")
        made = type(made)(**{name: getattr(made, name) for name in made.__struct_fields__} | {"rule": rule})
        observer.folded(FoldResult([made], [""], []), 0.01)
    labels = {"programme": "p", "verdict": "granted", "rule": "a"}
    assert value(metrics, "decisions_total", **labels) == 2
    assert value(metrics, "decisions_total", programme="other", rule="other", verdict="denied") == 2
    assert value(metrics, "fold_duration_seconds_count") == 5


def test_lag_is_counted_in_records_and_its_age_never_exceeds_the_time_since_it_was_level() -> None:
    metrics, clock = Metrics("rules"), MovableClock()
    observer = RulesObserver(metrics, clock=clock, rule_labels_max=2)
    bus = open_bus(kafka=None, postgres="postgresql://127.0.0.1:1/none", client="test")
    keeper = Housekeeping(observer, metrics, bus=bus, clock=clock, lag_every_s=1, gc_busy_s_max=1)
    observer.assigned(0, 10)
    observer.handled(1, 5, clock.ms - 60_000)
    keeper.measure_lag({0: 10, 1: 5, 2: 999})
    assert (value(metrics, "bus_lag_records", topic="goodword.referrals"), _age(metrics)) == (0, 0)

    clock.ms += 4_000
    keeper.measure_lag({0: 10, 1: 8, 2: 999})
    assert value(metrics, "bus_lag_records", topic="goodword.referrals") == 3
    assert _age(metrics) == 4, "level four seconds ago, so nothing that waits is older"

    observer.revoked(1)
    keeper.measure_lag({0: 10, 1: 8})
    assert (value(metrics, "bus_lag_records", topic="goodword.referrals"), _age(metrics)) == (0, 0)


def _age(metrics: Metrics) -> float:
    return value(metrics, "bus_lag_seconds", topic="goodword.referrals")
