"""What a file defines, but with a fault: whatever refers to it is not judged, because its author mends the definition.

Without this one slip would be told many times over, and wrongly: a metric whose path is misspelt has no unit, and
each of its uses would be called wrong for having one.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class Names:
    """Names of one kind. Where a definition has no readable name, any name could be its own."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._is_any = False

    def add(self, name: str) -> None:
        self._names.add(name)

    def add_any(self) -> None:
        """Note a definition, or a whole section, of which not even the names could be read."""
        self._is_any = True

    def __contains__(self, name: str) -> bool:
        return self._is_any or name in self._names


@dataclass(frozen=True, slots=True)
class Unread:
    """The names whose definition was not read.

    Attributes:
        metrics: Neither their unit nor what they count is known.
        tiers: Their ids cannot be ids.
        rules: Rewards, milestones, contests and inactivity; what they give is not known.
    """

    metrics: Names = field(default_factory=Names)
    tiers: Names = field(default_factory=Names)
    rules: Names = field(default_factory=Names)

    def of_section(self, section: str) -> Names | None:
        """The names that a section of the file defines; None when nothing refers to them."""
        if section in ("rewards", "milestones", "contests", "inactivity"):
            return self.rules
        return {"metrics": self.metrics, "tiers": self.tiers}.get(section)
