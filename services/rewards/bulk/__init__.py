"""Large batches of transfers that are new: copied into the ledger."""
