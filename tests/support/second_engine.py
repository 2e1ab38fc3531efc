"""Whether this machine has the second engine, for tests that publish: where it is missing they say so to the gate.

Tests of the gate itself skip there, with the reason; `make durable` installs it.
"""

from __future__ import annotations

from typing import Final

import pytest


def _is_missing() -> bool:
    try:
        import durable_rules_engine  # noqa: F401
    except ImportError:
        return True
    return False


IS_MISSING: Final = _is_missing()
WITHOUT: Final = ("--without-second-opinion",) if IS_MISSING else ()
"""What to say to `goodword rules publish` on this machine."""

needs_second_engine = pytest.mark.skipif(IS_MISSING, reason="durable-rules is not installed: make durable")
