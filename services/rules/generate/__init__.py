"""From a rule set to Python: one function per event type and revision that does all that such an event can cause.

Promises:
- The generated source contains names and numbers of ours only, never a text of the rule file: paths, literals, ids and
  trace texts are handed over as constants (`source.Source.constant`), so no rule file can smuggle in code.
- A module here writes what one section of docs/rules.md says, and says which: `conditions`, `gate` (eligible,
  qualified), `rewards`, `metrics`, `tiers`; `event` puts them in order. What is rare, or is arithmetic on money, is not
  generated but called: `amounts`, `facts`, `decide`.
- Every value of an event is read once, every condition judged once, however many rewards ask for it.

Why generate at all: objects that pass values from step to step cost more than the steps (docs/performance.md).
"""
