"""Redemptions: reserved, then fulfilled or cancelled, each exactly once; never more than there is."""
