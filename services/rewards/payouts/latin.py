"""Text as banks take it: the Latin character set of the European Payments Council (EPC217-08). Pure.

Letters lose their accents, those without a plain form of their own are spelled out, and whatever is left becomes a
full stop; never is a letter lost without a mark.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_TAKEN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ ")
# What Unicode does not take apart. German umlauts are taken apart, as banks do it, so a name keeps its length.
_SPELLED: Final = dict(
    pair.split("=", 1)
    for pair in (
        "ß=ss ẞ=SS Æ=AE æ=ae Œ=OE œ=oe Ø=O ø=o Þ=Th þ=th Ł=L ł=l Đ=D đ=d Ð=D ð=d Ħ=H ħ=h ı=i ĸ=k Ŧ=T ŧ=t Ŋ=N ŋ=n "
        "&=+ _=- @=(at) \u2019=' \u2018=' \u2013=- \u2014=- €=EUR"
    ).split()
)


def bank_text(text: str, length_max: int) -> str:
    """The text in characters that every bank takes, cut to a length; never empty, and not with `/` or `//` at its ends.

    A slash at the beginning or the end, and two of them together, mean something else to a bank (EPC217-08, 6.2).
    """
    spelled = "".join(_SPELLED.get(character, character) for character in " ".join(text.split()))
    plain = (c for c in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(c))
    taken = "".join(c if c in _TAKEN else "." for c in plain)
    while "//" in taken:
        taken = taken.replace("//", "/")
    return " ".join(taken.split())[:length_max].strip("/ ") or "."
