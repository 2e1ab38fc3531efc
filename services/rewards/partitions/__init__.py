"""Transfers lie in partitions by the month of their event: which there must be (pure), and making them."""
