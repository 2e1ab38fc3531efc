"""Restatements: what was decided in the past is put right by adjusting decisions, after somebody else has approved.

A restatement is `proposed`, then `approved` by another person and `posted`, or `rejected`. What was decided stays as it
is; the difference is granted, or taken back, by decisions of its own (docs/rules.md#restate).
"""

from __future__ import annotations

from services.rules.restating.approve import approve_restatement, reject_restatement
from services.rules.restating.post import resume_restating
from services.rules.restating.propose import Proposal, propose_restatement
from services.rules.restating.record import (
    Restatement,
    list_restatements,
    restated_lines,
    restated_partners,
    show_restatement,
)

__all__ = [
    "Proposal",
    "Restatement",
    "approve_restatement",
    "list_restatements",
    "propose_restatement",
    "reject_restatement",
    "restated_lines",
    "restated_partners",
    "resume_restating",
    "show_restatement",
]
