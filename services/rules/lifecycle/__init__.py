"""The life of a revision, from draft to superseded: who may do what when, what the gate asks, and the audit log."""

from __future__ import annotations

from services.rules.lifecycle.activate import CanaryAsked, activate, gate_of, promote
from services.rules.lifecycle.approve import approve, reject
from services.rules.lifecycle.audit import AuditRow, altered, note_in_audit, read_audit
from services.rules.lifecycle.backtests import Backtest, backtest_of, record_backtest
from services.rules.lifecycle.broadcast import resume_publishing
from services.rules.lifecycle.desk import Desk
from services.rules.lifecycle.gate import GateRefused
from services.rules.lifecycle.listing import list_revisions, show_revision, shown_states
from services.rules.lifecycle.policy import Policy, tell_policy
from services.rules.lifecycle.publish import Published, publish_rule_set
from services.rules.lifecycle.record import Revision
from services.rules.lifecycle.rollback import rollback
from services.rules.lifecycle.run_checks import run_checks
from services.rules.lifecycle.submit import submit_draft
from services.rules.lifecycle.withdraw import withdraw

__all__ = [
    "AuditRow",
    "Backtest",
    "CanaryAsked",
    "Desk",
    "GateRefused",
    "Policy",
    "Published",
    "Revision",
    "activate",
    "altered",
    "approve",
    "backtest_of",
    "gate_of",
    "list_revisions",
    "note_in_audit",
    "promote",
    "publish_rule_set",
    "read_audit",
    "record_backtest",
    "reject",
    "resume_publishing",
    "rollback",
    "run_checks",
    "show_revision",
    "shown_states",
    "submit_draft",
    "tell_policy",
    "withdraw",
]
