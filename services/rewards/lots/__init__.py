"""Lots that expire, spent oldest first."""
