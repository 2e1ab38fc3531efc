"""A third reading of the rule language, from the file's text to what is granted; neither parser nor types are ours.

`tests.simulation.model` is given the rule set that the service has read; here YAML is read anew, with plain dicts and
regular expressions, so that a mistake in reading shows as well as one in deciding. It was written from docs/rules.md
alone, keeps every event of a partner, and says only what is granted: rule, beneficiary, minor units, unit (of a tier
change, the tier). One revision, one currency, no inactivity, contests, canaries or tiers by hand.
"""
