"""How a run is shared out among its workers (`make test` runs some side by side).

A worker takes a share at a time: a file, for the servers that its tests have in common; all that use the one Kafka;
one disturbed run, which brings a stack of its own. The longest begin first, so that no worker is left alone at the end.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

FAULTS = "tests/integration/faults/"
LONGEST_FIRST = (
    "tests/e2e/test_compose.py",
    FAULTS,
    "kafka",
    "tests/e2e/",
    "tests/contract/",
    "tests/integration/",
    "tests/property/",
)


class Shares(LoadScopeScheduling):  # type: ignore[misc] # the library has no types
    """Workers get whole shares."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)


def share_of(nodeid: str) -> str:
    """The name of the share that a test belongs to."""
    file = nodeid.partition("::")[0]
    if file.startswith(FAULTS):
        return nodeid
    return "kafka" if "kafka" in file.rpartition("/")[2] else file


def rank(item: pytest.Item) -> int:
    """Where its share stands in LONGEST_FIRST."""
    share = share_of(item.nodeid)
    return next((place for place, start in enumerate(LONGEST_FIRST) if share.startswith(start)), len(LONGEST_FIRST))


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shares:
    return Shares(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=rank)
