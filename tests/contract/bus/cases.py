"""The contract of the bus: every promise of `runtime.bus.port`, written once, run over each adapter."""

from __future__ import annotations

from tests.contract.bus.consuming import ConsumingCases
from tests.contract.bus.handing_over import HandingOverCases
from tests.contract.bus.publishing import PublishingCases
from tests.contract.bus.reading import ReadingCases


class BusCases(PublishingCases, ReadingCases, HandingOverCases, ConsumingCases):
    """All of them, for a class that says how to reach its `world`."""
