"""`eligible` and `qualified`: what an event must pass to earn anything or to count (docs/rules.md#order, steps 3, 4).

Leaves the locals `blocked`, why the event can earn nothing and counts in no metric (empty: it can), and `gate`, the
trace lines of what was judged for it.
"""

from __future__ import annotations

from typing import Final

from contracts.decisions import RULE_LEAD_QUALIFIED, TraceLine
from contracts.ruleset import RuleSet
from services.rules.deciding.vocabulary import Vocabulary, comparisons
from services.rules.generate.case import MARK, write_decision, write_fields
from services.rules.generate.conditions import Conditions, Judged
from services.rules.generate.reads import Reads
from services.rules.generate.source import Source
from services.rules.states.children import LEAD_QUALIFIED

LEAD_EVENTS: Final = frozenset({"lead.registered", "lead.qualified"})
"""Events at which a lead can qualify."""
QUALIFIED_DEALS: Final = frozenset({"deal.won", "deal.renewed"})
"""Events that `qualified.deal` is asked of."""
REFUND: Final = "deal.refunded"

_BY_CRM: Final = (TraceLine("event.type == lead.qualified", "lead.qualified", "met", RULE_LEAD_QUALIFIED),)
_CRM_IGNORED: Final = f"{RULE_LEAD_QUALIFIED}: the source's own word does not count (crm: ignored)"


class Gate:
    """Writes the gate of one event type of one revision."""

    def __init__(self, rules: RuleSet, revision: int, vocabulary: Vocabulary, event_type: str) -> None:
        self._rules = rules
        self._revision = revision
        self._vocabulary = vocabulary
        self._event_type = event_type
        is_refund = event_type == REFUND
        self._partner = None if is_refund else rules.eligible_partner
        self._customer = None if is_refund else rules.eligible_customer
        self._deal = rules.qualified_deal if event_type in QUALIFIED_DEALS else None
        self.is_lead_qualified = event_type == "lead.qualified"
        self._by_crm = self.is_lead_qualified and rules.crm_qualifies
        self.asks_lead = event_type in LEAD_EVENTS and (rules.qualified_lead is not None or self._by_crm)

    def write(self, reads: Reads, *, is_shown: bool) -> None:
        """When no decision will show it, only whether the event is blocked is right."""
        source = reads.source
        source.add("blocked = ''; gate = ()")
        if self._partner is not None:
            self._write_partner(reads, is_shown=is_shown)
        if self._customer is not None:
            if self._event_type.startswith(("lead.", "deal.")):
                self._write_customer(reads, is_shown=is_shown)
            else:
                with source.block(f"if {reads.section('customer')} is not None:"):
                    self._write_customer(reads, is_shown=is_shown)
        if self._deal is not None:
            with source.block("if not blocked:"):
                conditions = Conditions(reads, "qualified.deal")
                if is_shown:
                    judged = conditions.judged(self._deal)
                    source.add(f"blocked = {judged.reason}; gate += ({_listed(judged)})")
                else:
                    source.add(f"blocked = not ({conditions.tested(self._deal)})")
        if self._vocabulary.probe is not None:
            self._vocabulary.probe.write_gate(reads)

    def _write_partner(self, reads: Reads, *, is_shown: bool) -> None:
        assert self._partner is not None
        source = reads.source
        if all(each.path.startswith("partner.") for each in comparisons(self._partner)):
            # Nothing but the profile is asked, so the answer stands until the profile changes.
            judge, revision = source.constant(self._profile_judge()), source.constant(self._revision)
            source.add(
                "g = state.gate",
                f"if g is None or g[0] != {revision}: g = state.gate = {judge}(state)",
                "blocked = g[1]; gate = g[2]",
            )
            return
        conditions = Conditions(reads, "eligible.partner")
        if is_shown:
            judged = conditions.judged(self._partner)
            source.add(f"blocked = {judged.reason}; gate = ({_listed(judged)})")
        else:
            source.add(f"blocked = not ({conditions.tested(self._partner)})")

    def _profile_judge(self) -> object:
        """A function of the state: revision, why the partner is not eligible, and the trace."""
        assert self._partner is not None
        source = Source("state")
        reads = Reads(source, self._vocabulary, self._event_type, self._revision)
        judged = Conditions(reads, "eligible.partner").judged(self._partner)
        source.add(f"return {source.constant(self._revision)}, {judged.reason}, ({_listed(judged)})")
        return source.function()

    def _write_customer(self, reads: Reads, *, is_shown: bool) -> None:
        assert self._customer is not None
        conditions = Conditions(reads, "eligible.customer")
        if is_shown:
            judged = conditions.judged(self._customer)
            reads.source.add(f"gate += ({_listed(judged)})", f"blocked = blocked or {judged.reason}")
        else:
            reads.source.add(f"blocked = blocked or not ({conditions.tested(self._customer)})")

    def write_lead(self, reads: Reads) -> None:
        """Whether the lead qualifies at this event: by a trusted source's word, else by the criteria; once.

        Reads the local `lead` and leaves the local `qualifies`; what was decided is appended to `made`.
        """
        source = reads.source
        source.add("qualifies = False")
        with source.block(f"if not lead.flags & {LEAD_QUALIFIED}:"):
            source.add("reason = blocked; lines = gate")
            with source.block("if not blocked:"):
                if self._by_crm:
                    source.add(f"lines += {source.constant(_BY_CRM)}")
                elif self._rules.qualified_lead is not None:
                    judged = Conditions(reads, "qualified.lead").judged(self._rules.qualified_lead)
                    source.add(f"reason = {judged.reason}; lines += ({_listed(judged)})")
            write_fields(reads)
            source.add(f"made.append({write_decision(reads, RULE_LEAD_QUALIFIED, trace='lines')})")
            with source.block("if not reason:"):
                source.add("qualifies = True", f"lead.flags |= {LEAD_QUALIFIED}", MARK.format("lead"))

    def write_said(self, source: Source) -> None:
        """A source's word that a lead qualified, at which it does not: nothing is earned by it."""
        reason = source.constant(_CRM_IGNORED)
        with source.block("if not blocked:" if not self.asks_lead else "if not qualifies and not blocked:"):
            # What is decided about the lead was decided last: before it stands what the clock passed.
            source.add("blocked = made[-1].reason" if self.asks_lead else f"blocked = {reason}")


def _listed(judged: Judged) -> str:
    return "".join(f"{name}," for name in judged.trace)
