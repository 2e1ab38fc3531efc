"""The text of one generated function: its lines, its constants, and what is already known at the line being written.

A name that was learnt inside of a block is forgotten at its end, because the block may not have run.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import CodeType
from typing import Any, Final

TEXTS_MAX: Final = 1024


class Source:
    """A function in the making. Lines may hold indexes and names of ours only; all else comes in by `constant`."""

    def __init__(self, parameters: str) -> None:
        self._lines = [f"def generated({parameters}):"]
        self._depth = 1
        self._constants: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._known: dict[Hashable, str] = {}
        self._count = 0

    def add(self, *lines: str) -> None:
        self._lines += [" " * self._depth + line for line in lines]

    def constant(self, value: Any) -> str:
        """The name of a constant; the same object has one name."""
        name = self._names.get(id(value))
        if name is None:
            name = self._names[id(value)] = f"c{len(self._constants)}"
            self._constants[name] = value
        return name

    def fresh(self, prefix: str) -> str:
        """A new local name."""
        self._count += 1
        return f"{prefix}{self._count}"

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """The lines added meanwhile belong under `head`; what is learnt meanwhile is forgotten."""
        self.add(head)
        known = dict(self._known)
        count = len(self._lines)
        self._depth += 1
        yield
        if len(self._lines) == count:
            self.add("pass")
        self._depth -= 1
        self._known = known

    def once(self, key: Hashable, prefix: str, write: Callable[[str], None]) -> str:
        """The local name that holds what `key` stands for; `write` writes the lines that give it its value."""
        name = self._known.get(key)
        if name is None:
            name = self.fresh(prefix)
            write(name)
            self._known[key] = name
        return name

    @property
    def text(self) -> str:
        return "\n".join(self._lines)

    def function(self) -> Any:
        """The function, compiled."""
        exec(_compiled(self.text), self._constants)  # noqa: S102 - names of ours only
        return self._constants["generated"]


@lru_cache(maxsize=TEXTS_MAX)
def _compiled(text: str) -> CodeType:
    """Rules of one shape have one text, and differ in their constants only; compiling is the costly part."""
    return compile(text, "<compiled rules>", "exec")
