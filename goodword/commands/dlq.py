"""`goodword dlq list|show`: records that could not be handled, and why."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import typer

from goodword.terminal import EXIT_NO, DataOption, JsonOption, emit_json, err, out, print_table, problems_shown

app: Final = typer.Typer(no_args_is_help=True)
_READ_RECORDS_MAX: Final = 500
HEADER_PREFIX: Final = "dlq_"


@app.callback()
def _dlq() -> None:
    """Records that could not be handled, and why."""


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
    shown: dict[str, Any] = {"queue": queue, "offset": record.offset, "key": record.key.decode(errors="replace")}
    for name, value in record.headers:
        plain = name.removeprefix(HEADER_PREFIX)
        shown["was_at" if name == f"{HEADER_PREFIX}offset" else plain] = value.decode(errors="replace")
    return shown | {"value": record.value.decode(errors="replace")}
