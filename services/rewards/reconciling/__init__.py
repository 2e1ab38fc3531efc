"""Decisions of the log against transfers of the ledger: missing, extra, different, and what explains the rest."""
