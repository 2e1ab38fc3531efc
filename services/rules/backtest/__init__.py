"""What other rules would have paid: one history, decided twice by the fold that decides live, and the difference.

Pure. `sides` says which revision decides on each side, `replay` feeds both, `sums` and `lines` keep what they came to,
`compare` makes the report of it, which `text`, `table` and `page` write for people and programs
(docs/rules.md#back-test).
"""
