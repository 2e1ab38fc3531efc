"""`goodword payouts file`: an approved run as the bank takes it; the same run gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from goodword.commands.payouts.office import RunArgument, in_office
from goodword.terminal import DataOption, say

if TYPE_CHECKING:
    from goodword.rewarding import Rewards

FORMATS: Final = ("pain.001.001.09", "pain.001.001.03", "csv")
FormatOption = Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")]


def write_file(
    run: RunArgument,
    file: Annotated[Path, typer.Option("--out", dir_okay=False, help="Where to write it.")],
    format: FormatOption = "pain.001.001.09",
    data: DataOption = None,
) -> None:
    """Write the file of a run that was approved, as often as anybody likes. It changes nothing."""

    async def work(rewards: Rewards) -> int:
        return await write_bytes(rewards, run, format, file)

    count = in_office(data, work)
    say(f"{count} bytes to {file}")


async def write_bytes(rewards: Rewards, named: str, format: str, path: Path) -> int:
    """The file of a run; whole or not at all. Raises PermanentError; OSError is told by `problems_shown`'s caller."""
    from contracts.errors import PermanentError, Problem
    from services.rewards.payouts.csv_file import payouts_csv
    from services.rewards.payouts.listing import known_run
    from services.rewards.payouts.pain import pain_001
    from services.rewards.payouts.store import payouts_of

    if format not in FORMATS:
        message = f"{format!r} is no format of a payout file"
        raise PermanentError(Problem(code="bad-format", message=message, help=f"write one of {', '.join(FORMATS)}"))
    async with rewards.database.connection() as connection:
        run = await known_run(connection, named)
        payouts = await payouts_of(connection, run.id)
    if format == "csv":
        made = payouts_csv(run, payouts)
    else:
        made = pain_001(run, payouts, version="03" if format.endswith("03") else "09")
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(made)
        partial.replace(path)
    except OSError as error:
        problem = Problem(code="file-not-written", message=f"{path}: {error.strerror}", where=str(path))
        raise PermanentError(problem) from error
    return len(made)
