"""Rules tried out on events, by the fold that decides live ones, and without touching anything that lives.

`play.py` decides, `pasted.py` reads what was pasted, `http.py` serves it with the page in `static/`.
"""
