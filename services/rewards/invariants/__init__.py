"""What must hold of the ledger at every moment, checked in production as well as in tests.

Each is a small class with a name, what it means when it is broken, and a check that gives up to ten offenders.
A check is one statement or one transaction, so it sees one moment however much is posted meanwhile.
"""

from typing import Final

from services.rewards.invariants.balances_match import BalancesMatch
from services.rewards.invariants.budgets_match import BudgetsMatch
from services.rewards.invariants.chain_holds import ChainHolds
from services.rewards.invariants.holds_match import HoldsMatch
from services.rewards.invariants.invariant import Invariant, Offender
from services.rewards.invariants.papers_numbered import PapersNumbered
from services.rewards.invariants.payouts_match import PayoutsMatch
from services.rewards.invariants.redemptions_match import RedemptionsMatch
from services.rewards.invariants.snapshots_match import SnapshotsMatch
from services.rewards.invariants.sums_to_zero import SumsToZero

QUICK: Final[tuple[Invariant, ...]] = (SumsToZero(), HoldsMatch(), BudgetsMatch(), RedemptionsMatch(), PayoutsMatch())
"""These read what is open now: checked with every trial balance."""
SLOW: Final[tuple[Invariant, ...]] = (BalancesMatch(), PapersNumbered(), SnapshotsMatch())
"""These read the whole ledger: checked with every audit."""
INVARIANTS: Final = (*QUICK, *SLOW, ChainHolds())

__all__ = [
    "INVARIANTS",
    "QUICK",
    "SLOW",
    "BalancesMatch",
    "BudgetsMatch",
    "ChainHolds",
    "HoldsMatch",
    "Invariant",
    "Offender",
    "PapersNumbered",
    "PayoutsMatch",
    "RedemptionsMatch",
    "SnapshotsMatch",
    "SumsToZero",
]
