"""Why an event earned what it earned, or nothing: its partner's history played again, by the fold that decided it.

See docs/adr/0009-explanations-replay.md for what is kept for it, and docs/rules.md#explain for what is told.
"""
