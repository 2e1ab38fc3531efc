"""Judges a batch as the front door would, without sending it: for `--dry-run`. Knows no id that came before."""

from __future__ import annotations

from goodword.importing.batches import Batch
from goodword.importing.sending import Answer, Rejection
from runtime.clock import SystemClock
from services.tracking.envelope import Shape
from services.tracking.settings import TrackingSettings
from services.tracking.validate import check_body


def check_batch(batch: Batch) -> Answer:
    """Raises what `check_body` raises for a body that cannot be taken as a whole."""
    settings = TrackingSettings()
    checked = check_body(
        batch.body,
        Shape.LINES,
        now_ms=SystemClock().now_ms(),
        future_ms_max=settings.tracking_future_s_max * 1000,
        events_max=settings.tracking_events_max,
    )
    rejected = [
        Rejection(index=one.index, id=one.id, field=one.field, reason=one.reason, code=one.code)
        for one in checked.rejections
    ]
    return Answer(accepted=len(checked.candidates), rejected=rejected)
