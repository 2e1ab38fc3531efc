"""Bringing history in: files of events, or CSV by a mapping, through the front door of a stack.

reading.py    lines of NDJSON files and rows of CSV files, with their line numbers; memory stays flat
mapping.py    the mapping file: its shape, and its errors with the place
values.py     text of a cell to a value: slug, date, integer, amount (pure)
rows.py       one row to events, repairs, flaws or a rejection (pure)
ordering.py   events in order of time, sorted outside memory when there are many
batches.py    what is sent in one request
sending.py    the requests, their answers, and what is tried again
importer.py   all of it together, and the counts at the end
"""
