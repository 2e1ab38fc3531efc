"""What the services agree on: events, topics, money, ids, errors, the rule language's types.

Pure: no I/O, no clock, no randomness, and no import from `runtime`, `services` or `goodword`.
"""
