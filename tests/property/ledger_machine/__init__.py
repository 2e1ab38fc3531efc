"""The ledger as a state machine of hypothesis, and the plain model that it is held against; a pair a subject."""
