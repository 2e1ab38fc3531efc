"""What changed in meaning between two rule sets, in words: what `goodword rules diff` prints (docs/rules.md#diff).

Pure. Order, spelling and layout of a file that change no decision are no difference; tests and comments are none
either. Which partners a change can touch is never told too small, only too wide.
"""

from __future__ import annotations

from services.rules.comparing.change import Change
from services.rules.comparing.differences import differences
from services.rules.comparing.reach import Reach
from services.rules.comparing.report import changes_as_json, render_changes

__all__ = ["Change", "Reach", "changes_as_json", "differences", "render_changes"]
