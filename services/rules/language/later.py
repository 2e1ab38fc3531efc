"""Which parts of the language this version reads and checks but does not carry out: the one table of them.

A rule set that uses one is refused, because a limit that is passed over pays too much and a hold that is passed over
pays too early. Whoever makes the engine carry a part out deletes its line here and runs `make generate`; readers,
docs/rules.md#not-yet and tests follow.
"""

from __future__ import annotations

from typing import Final

LATER: Final[dict[str, str]] = {}
"""Part to how the page calls it."""
