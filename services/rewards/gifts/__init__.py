"""Gifts: what somebody gives at their discretion, proposed by one person and approved by another, out of a budget."""
