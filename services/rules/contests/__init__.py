"""Contests rank partners across partitions, which no fold sees (docs/adr/0011-contests.md).

`project` keeps the standings from the log of decisions, exactly once; `close` fixes the ranks when the contest's last
day has closed everywhere, and appends `contest.closed` for each winner; `ranks` says who is before whom.
"""
