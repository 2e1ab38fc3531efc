"""Every metric, declared once: name, kind, meaning, and what to do about it.

Names are `goodword_<service>_<what>_<unit>`; label values come from closed lists (never a partner or event id)
and are created at the start, so that a zero shows. docs/operations.md lists this catalogue.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from itertools import product
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from runtime.metrics.declared import SERVICES, Metric
from runtime.metrics.notify import NOTIFY
from runtime.metrics.rewards import HOLD_AGES, PAYOUT_STATES, REWARDS
from runtime.metrics.rules import RULES
from runtime.metrics.shared import SHARED
from runtime.metrics.tracking import TRACKING

__all__ = ["CATALOGUE", "HOLD_AGES", "PAYOUT_STATES", "SERVICES", "Metric", "Metrics", "package_version"]

CATALOGUE: Final = (*TRACKING, *SHARED, *RULES, *REWARDS, *NOTIFY)
"""All metrics of all services. A test holds docs/operations.md against it."""


def package_version() -> str:
    try:
        return version("goodword")
    except PackageNotFoundError:
        return "0+source"


class Metrics:
    """The metrics of one service, in a registry of their own."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        self._by_name: dict[str, Counter | Gauge | Histogram] = {}
        for metric in CATALOGUE:
            if service in metric.services:
                self._by_name[metric.what] = _create(metric, service, self.registry)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build = Gauge("goodword_build_info", "Version of this build.", ["service", "version"], registry=self.registry)
        build.labels(service, package_version()).set(1)

    def counter(self, what: str) -> Counter:
        """A counter of the catalogue; KeyError when this service does not declare it."""
        found = self._by_name[what]
        assert isinstance(found, Counter)
        return found

    def gauge(self, what: str) -> Gauge:
        found = self._by_name[what]
        assert isinstance(found, Gauge)
        return found

    def histogram(self, what: str) -> Histogram:
        found = self._by_name[what]
        assert isinstance(found, Histogram)
        return found

    def exposition(self) -> bytes:
        """The text format 0.0.4 that Prometheus scrapes."""
        return generate_latest(self.registry)


def _create(metric: Metric, service: str, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    name = f"goodword_{service}_{metric.what}"
    labels = tuple(metric.labels)
    created: Counter | Gauge | Histogram
    if metric.kind == "counter":
        created = Counter(name, metric.help, labels, registry=registry)
    elif metric.kind == "gauge":
        created = Gauge(name, metric.help, labels, registry=registry)
    else:
        created = Histogram(name, metric.help, labels, registry=registry, buckets=metric.buckets)
    if labels:
        for values in product(*metric.labels.values()):
            created.labels(*values)
    return created
