"""A migrated notify schema in a fresh database."""

from __future__ import annotations

import pytest

from runtime.migrations import migrate


@pytest.fixture
def notify_url(postgres_url: str) -> str:
    migrate(postgres_url, "notify")
    return postgres_url
