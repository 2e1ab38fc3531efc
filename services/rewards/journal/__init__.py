"""The ledger as a journal for a general ledger: two lines a transfer, in files that stay as they are once closed."""
