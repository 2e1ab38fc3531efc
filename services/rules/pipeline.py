"""Commands of several partitions to the state store in one round trip.

At a thousand events a second every request touches every partition, and each of them reads and writes its states: what
they ask for at the same moment travels together. Not a transaction: each command stands for itself, and a script is
atomic by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from runtime.together import Together

Command = tuple[str | bytes | int, ...]

WORDS_MAX: Final = 2_000
"""Commands with more words than this together go one by one: they carry a batch, and company would only delay them."""
AT_ONCE_MAX: Final = 8


class Pipeline:
    """Sends commands through a client of redis-py; what Redis answers to one is for whoever sent it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._sent = Together(self._send, name="state-store", at_once_max=AT_ONCE_MAX, weight=len, weight_max=WORDS_MAX)

    async def execute(self, *command: str | bytes | int) -> Any:
        """The answer. Raises what redis-py raises."""
        answer = await self._sent.call(command)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _send(self, commands: list[Command]) -> Sequence[Any]:
        if len(commands) == 1:
            return [await self._client.execute_command(*commands[0])]
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers
