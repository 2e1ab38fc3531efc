"""Every stage that a transfer can have is known to those who look transfers up by their derived ids."""

from __future__ import annotations

from services.rewards import legs


def test_every_stage_is_listed_once() -> None:
    named = {value for name, value in vars(legs).items() if name.startswith("STAGE_")}
    assert set(legs.STAGES) == named
    assert len(legs.STAGES) == len(named)
