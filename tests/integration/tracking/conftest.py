"""One tracking service for a whole module, and one of its own for tests that break things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from goodword.embedded.valkey import ValkeyServer
from tests.support.tracking import TrackingProcess, tracking_process


@pytest.fixture(scope="module")
def door(
    postgres_module_url: str, valkey_server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrackingProcess]:
    """A running service; use ids of your own."""
    valkey_server.start()
    with tracking_process(postgres_module_url, valkey_server.url, tmp_path_factory.mktemp("tracking")) as process:
        yield process


@pytest.fixture
def own_door(postgres_url: str, valkey_url: str, tmp_path: Path) -> Iterator[TrackingProcess]:
    """A running service with a database of its own."""
    with tracking_process(postgres_url, valkey_url, tmp_path) as process:
        yield process
