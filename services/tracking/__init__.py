"""Tracking: the front door. Events come in over HTTP, are checked, attributed, and made durable in the log."""
