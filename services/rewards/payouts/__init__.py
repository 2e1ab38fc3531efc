"""Payouts: money on its way to whom it belongs, from a run that somebody approves to the bank's answer."""
