"""The whole: CRM-like events through `goodword events import --wait` on the embedded stack, as a user would do it.

A temporary stack as `goodword up` starts it, the programme of examples/crm-pipeline, and the command itself in a
process of its own. The clock runs from its start to its end, when everything has reached the ledger. Beside the speed
it tells the CPU time and the memory of every process; memory is flat when the last third of the run needs what the
middle third needed. Nothing faster to compare with is known, so there is no raw path.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from goodword.bench import crm_like
from goodword.bench.processes import Usage
from goodword.bench.temporary_stack import temporary_stack
from goodword.embedded.stack import Stack

EVENTS: Final = 1_000_000
LOOK_S: Final = 1.0
PROGRAMME_FILE: Final = Path(__file__).parents[2] / "examples" / "crm-pipeline" / "programme.yaml"


class ProcessRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one process took: CPU time per 1,000 events, and its own memory in the thirds of the run, at most."""

    process: str
    cpu_ms_per_1000: float
    mib_first_third: float
    mib_second_third: float
    mib_last_third: float


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """The run as a whole."""

    events: int
    seconds: float
    per_second: float
    said: str
    processes: list[ProcessRow]


async def run(*, kafka: str | None, events: int = EVENTS) -> Whole:
    """Measure on a temporary stack, on the bus named or the embedded one."""
    async with temporary_stack(kafka=kafka) as stack:
        return await _measure(stack, events)


async def _measure(stack: Stack, events: int) -> Whole:
    from goodword.commands.rules import publish_to

    await publish_to(
        stack.target, PROGRAMME_FILE.read_text(), PROGRAMME_FILE.name, "bench", without_second_opinion=True
    )
    folder = stack.folder.path
    path = folder / "events.ndjson"
    with path.open("wb") as file:
        file.writelines(crm_like.lines(events))
    usages = {name: Usage(pid) for name, pid in stack.process_ids().items()}
    for usage in usages.values():
        usage.look()
    began = time.perf_counter()
    command = [sys.executable, "-m", "goodword", "events", "import", str(path), "--wait", "--data", str(folder)]
    importing = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    usages["import"] = Usage(importing.pid)
    ending = asyncio.create_task(importing.communicate())
    while not ending.done():
        for usage in usages.values():
            usage.look()
        await asyncio.wait({ending}, timeout=LOOK_S)
    seconds = time.perf_counter() - began
    out, err = await ending
    if importing.returncode:
        raise RuntimeError(f"the import ended with {importing.returncode}: {err.decode()[-2000:]}")
    return Whole(
        events=events,
        seconds=seconds,
        per_second=events / seconds,
        said=" ".join(out.decode().split()),
        processes=[_row(name, usage, events) for name, usage in usages.items()],
    )


def _row(name: str, usage: Usage, events: int) -> ProcessRow:
    seen = usage.private_mib
    third = max(1, len(seen) // 3)
    first, second, last = max(seen[:third]), max(seen[third : 2 * third] or seen), max(seen[-third:])
    return ProcessRow(
        process=name,
        cpu_ms_per_1000=usage.cpu_s / events * 1e6,
        mib_first_third=first,
        mib_second_third=second,
        mib_last_third=last,
    )
