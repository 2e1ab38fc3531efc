"""Lives of decisions whose posting depends on what the ledger holds: holds, what is taken back, what waits."""
