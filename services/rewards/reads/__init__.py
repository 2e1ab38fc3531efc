"""What can be asked of the ledger: one module per question, used by the HTTP API and the command line alike.

Every function takes the URL of the database, or a connection of `open_ledger`. Each answer is of one moment, however
much is posted meanwhile. Answers are plain dictionaries, as they are printed by `--json`.
"""

from services.rewards.reads.balances import (
    Balance,
    TrialBalance,
    balances,
    each_balance,
    trial_balance,
)
from services.rewards.reads.budgets import BudgetLine, budgets
from services.rewards.reads.conflicts import Conflict, Refusal, conflicts, refusals
from services.rewards.reads.connect import open_ledger
from services.rewards.reads.explain import Explanation, explain
from services.rewards.reads.invoices import InvoiceLine, InvoicePage, invoice, invoices, issuers
from services.rewards.reads.lives import Held, Waiting, holds, waiting
from services.rewards.reads.statement import Posting, Statement, statement
from services.rewards.reads.transfers import Transfer

__all__ = [
    "Balance",
    "BudgetLine",
    "Conflict",
    "Explanation",
    "Held",
    "InvoiceLine",
    "InvoicePage",
    "Posting",
    "Refusal",
    "Statement",
    "Transfer",
    "TrialBalance",
    "Waiting",
    "balances",
    "budgets",
    "conflicts",
    "each_balance",
    "explain",
    "holds",
    "invoice",
    "invoices",
    "issuers",
    "open_ledger",
    "refusals",
    "statement",
    "trial_balance",
    "waiting",
]
