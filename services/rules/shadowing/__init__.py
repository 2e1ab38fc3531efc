"""A draft decided beside what is in force, on live events of some partners, paying nothing (docs/adr/0012-shadow.md).

`sampling` says which partners, `part` decides both sides of a partition, `differences` is what comes of it: these are
pure. `record`, `steps` and `reads` are what is stored, `keep` changes it in one transaction, `follow` reads the log,
`running` starts and stops that.
"""

from __future__ import annotations

from services.rules.shadowing.reads import shadow_days, shadow_partners, shadow_told
from services.rules.shadowing.record import Shadow
from services.rules.shadowing.sampling import SHARE_DEFAULT_PPM
from services.rules.shadowing.steps import end_shadow, start_shadow

__all__ = [
    "SHARE_DEFAULT_PPM",
    "Shadow",
    "end_shadow",
    "shadow_days",
    "shadow_partners",
    "shadow_told",
    "start_shadow",
]
