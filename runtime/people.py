"""Who acts: the name of a person as it is kept, and whether two names are one person's. Pure."""

from __future__ import annotations

from typing import Final

from contracts.errors import PermanentError, Problem

WHO_LENGTH_MAX: Final = 200


def checked_who(who: str) -> str:
    """Raises PermanentError(`nobody`, `name-too-long`)."""
    name = who.strip()
    if not name:
        raise PermanentError(Problem(code="nobody", message="somebody must do this: the name is empty", where="who"))
    if len(name) > WHO_LENGTH_MAX or "\x00" in name:
        raise PermanentError(
            Problem(code="name-too-long", message=f"a name has at most {WHO_LENGTH_MAX} characters", where="who")
        )
    return name


def is_same_person(one: str, other: str) -> bool:
    """Whether two names are one person's; `Ana` and `ana ` are."""
    return one.strip().casefold() == other.strip().casefold()
