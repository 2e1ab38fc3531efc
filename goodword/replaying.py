"""Dead letters go back to the end of their own topic, once what was wrong is put right.

Promises: a record that stands in the queue twice, because its batch was delivered again, goes back once; records of one
partition go back in their order; nothing is taken out of the queue. Sent back twice it is a repeat like any other, and
changes nothing: whoever handles it knows it by its id. An event takes its place with its own `time`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from contracts.errors import PermanentError, Problem
from contracts.topics import Topic
from runtime.bus.dead_letters import Letter, letter_of
from runtime.bus.port import Bus

BATCH_RECORDS_MAX: Final = 500


@dataclass(slots=True)
class Replayed:
    """What went back, and what of the choice did not because it had."""

    count: int = 0
    repeats: int = 0
    seen: set[int] = field(default_factory=set)
    """Offsets in the queue of the letters that were chosen."""


async def replay(
    bus: Bus, topic: Topic, *, offsets: Collection[int] = (), code: str | None = None, is_dry: bool = False
) -> Replayed:
    """Send letters of a topic back: those at these offsets of its queue, or all; of one code, or of any.

    Raises:
        PermanentError: `newest-record-counts`: of the topic only the newest record of a key is kept.
        BusUnavailable: Some may have gone back; do it again.
    """
    if topic.is_compacted:
        message = f"of {topic.name} only the newest record of a key counts, and a letter may be older than that"
        raise PermanentError(
            Problem(code="newest-record-counts", message=message, help="have it sent again where it came from")
        )
    done = Replayed()
    known: set[tuple[int, int]] = set()
    for partition, end in (await bus.end_offsets(topic.dlq)).items():
        async for records in bus.read(topic.dlq, partition, start=0, end=end, batch_records_max=BATCH_RECORDS_MAX):
            chosen: list[Letter] = []
            for record in records:
                letter = letter_of(record)
                if letter is None or letter.topic != topic.name or (code is not None and letter.code != code):
                    continue
                if offsets and record.offset not in offsets:
                    continue
                done.seen.add(record.offset)
                if (letter.partition, letter.offset) in known:
                    done.repeats += 1
                    continue
                known.add((letter.partition, letter.offset))
                chosen.append(letter)
            if chosen and not is_dry:
                await bus.publish(topic.name, [letter.record for letter in chosen])
            done.count += len(chosen)
    return done
