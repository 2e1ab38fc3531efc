"""`goodword dlq list|show|replay`: records that could not be handled, why, and how they go back."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import typer

from contracts.errors import Problem
from goodword.terminal import (
    EXIT_NO,
    EXIT_USAGE,
    DataOption,
    JsonOption,
    emit_json,
    err,
    fail,
    out,
    print_table,
    problems_shown,
)

app: Final = typer.Typer(no_args_is_help=True)
_READ_RECORDS_MAX: Final = 500


@app.callback()
def _dlq() -> None:
    """Records that could not be handled: why, and back with them."""


@app.command("list")
def list_letters(
    limit: Annotated[int, typer.Option("--limit", min=1, help="The newest so many of each queue.")] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Dead letters of all topics, oldest first, with code, reason and where each stood."""
    with problems_shown():
        letters = asyncio.run(_letters(data, limit))
    if as_json:
        emit_json([{name: letter[name] for name in letter if name != "value"} for letter in letters])
        return
    columns = ("topic", "offset", "code", "message", "at", "ce_source", "ce_id")
    print_table(columns, [[letter.get(column) for column in columns] for letter in letters])


@app.command("show")
def show_letter(
    topic: Annotated[str, typer.Argument(help="Such as goodword.referrals.")],
    offset: Annotated[int, typer.Argument(help="Its offset in the dead-letter queue, as `list` shows it.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """One dead letter, whole: why, where it stood, its headers and its value."""
    with problems_shown():
        found = asyncio.run(_letters(data, 1, topic=topic.removesuffix(".dlq"), at=offset))
    if not found:
        err.print(f"there is no dead letter {offset} of {topic}")
        raise typer.Exit(EXIT_NO)
    if as_json:
        emit_json(found[0])
        return
    for name, value in found[0].items():
        out.print(f"{name:<16} {value}", markup=False)


@app.command("replay")
def replay_letters(
    topic: Annotated[str, typer.Argument(help="Such as goodword.referrals.")],
    offsets: Annotated[list[int] | None, typer.Argument(help="Offsets in the queue, as `list` shows them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All letters of the topic, or of --code.")] = False,
    code: Annotated[str | None, typer.Option("--code", help="Only letters with this code, such as bad-json.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and send nothing.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send records back to the end of their topic, once what was wrong is put right.

    What is in the queue stays there; what goes back twice is known by its id and changes nothing the second time. What
    is still wrong becomes a new letter, and too many of those stop the service.
    """
    from contracts.topics import TOPICS
    from goodword.replaying import Replayed, replay

    name = topic.removesuffix(".dlq")
    known = {each.name: each for each in TOPICS}
    if name not in known:
        message = f"there is no topic {name}"
        fail(Problem(code="no-such-topic", message=message, help=f"there are: {', '.join(known)}"), EXIT_USAGE)
    if bool(offsets) == everything:
        message = "say which letters: their offsets in the queue, or --all"
        fail(Problem(code="which-letters", message=message, help="`goodword dlq list` shows them"), EXIT_USAGE)

    async def send() -> tuple[Replayed, list[int]]:
        from goodword.flow import open_target_bus
        from goodword.target import find_target

        async with open_target_bus(find_target(data)) as bus:
            done = await replay(bus, known[name], offsets=offsets or (), code=code, is_dry=True)
            missing = sorted(set(offsets or ()) - done.seen)
            if not missing and not dry_run:
                done = await replay(bus, known[name], offsets=offsets or (), code=code)
            return done, missing

    with problems_shown():
        done, missing = asyncio.run(send())
    if missing:
        of_code = f" with the code {code}" if code else ""
        message = f"the queue of {name} has no letter{of_code} at {', '.join(map(str, missing))}; nothing was sent"
        fail(Problem(code="no-such-letter", message=message, help="`goodword dlq list` shows them"))
    if as_json:
        emit_json({"topic": name, "replayed": done.count, "repeats": done.repeats, "dry_run": dry_run})
        return
    would = "would go" if dry_run else "went"
    out.print(f"{done.count} records {would} back to the end of {name}", markup=False)
    if done.repeats:
        out.print(f"{done.repeats} more letters are of the same records", markup=False)


async def _letters(data: Any, limit: int, *, topic: str | None = None, at: int | None = None) -> list[dict[str, Any]]:
    from contracts.topics import TOPICS
    from goodword.flow import open_target_bus
    from goodword.target import find_target

    letters = []
    async with open_target_bus(find_target(data)) as bus:
        for queue in (each.dlq for each in TOPICS if topic in {None, each.name}):
            for partition, end in (await bus.end_offsets(queue)).items():
                start = max(0, end - limit) if at is None else at
                stop = end if at is None else min(end, at + 1)
                if start >= stop:
                    continue
                async for records in bus.read(
                    queue, partition, start=start, end=stop, batch_records_max=_READ_RECORDS_MAX
                ):
                    letters += [_shown(queue, record) for record in records]
    return letters


def _shown(queue: str, record: Any) -> dict[str, Any]:
    """`dlq_code` is shown as `code`, and so on; `dlq_offset` is where the record was in its own topic."""
    from runtime.bus.dead_letters import HEADER_PREFIX

    shown: dict[str, Any] = {"queue": queue, "offset": record.offset, "key": record.key.decode(errors="replace")}
    for name, value in record.headers:
        plain = name.removeprefix(HEADER_PREFIX)
        shown["was_at" if name == f"{HEADER_PREFIX}offset" else plain] = value.decode(errors="replace")
    return shown | {"value": record.value.decode(errors="replace")}
