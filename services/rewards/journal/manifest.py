"""`manifest.json` of an export: which files there are, what is in each, and how far it went.

Written anew after each file, whole or not at all; the same export makes the same bytes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from contracts.errors import PermanentError, Problem

NAME: Final = "manifest.json"
FORMAT_VERSION: Final = 1
READ_BYTES: Final = 1024 * 1024


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """Of a unit. Debits are credits, or the journal is broken."""

    unit: str
    lines: int
    debit_minor: int
    credit_minor: int


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file; `is_closed` says that its period is over, so it never changes again."""

    name: str
    period: str
    is_closed: bool
    transfers: int
    lines: int
    sums: list[Sum]
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, kw_only=True):
    """Everything about an export.

    Attributes:
        format: `csv` or `parquet`.
        by: `day` or `month`.
        start: The first day.
        until: Everything booked before this day is in the files; periods without a file had no transfers.
        chart_sha256: Of the mapping; empty without one.
        columns: Of each line.
        sums: Of all files.
    """

    format_version: int = FORMAT_VERSION
    format: str
    by: str
    start: str
    until: str
    chart_sha256: str
    columns: list[str]
    files: list[File]
    sums: list[Sum]


def read_manifest(folder: Path) -> Manifest | None:
    """What is there, or None. Raises PermanentError (`bad-manifest`)."""
    try:
        content = (folder / NAME).read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _bad(folder / NAME, f"not a manifest: {error}") from error
    if found.format_version != FORMAT_VERSION:
        raise _bad(folder / NAME, f"format {found.format_version}, this version knows {FORMAT_VERSION}")
    return found


def write_manifest(folder: Path, manifest: Manifest) -> None:
    manifest.sums = total(manifest.files)
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    part = folder / f"{NAME}.part"
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    settle(part, folder / NAME)


def settle(part: Path, name: Path) -> None:
    """Give a finished file its name; durable when it returns."""
    part.replace(name)
    folder = os.open(name.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def total(files: Iterable[File]) -> list[Sum]:
    """The sums of all files, by unit."""
    sums: dict[str, Sum] = {}
    for one in (each for file in files for each in file.sums):
        before = sums.get(one.unit, Sum(unit=one.unit, lines=0, debit_minor=0, credit_minor=0))
        sums[one.unit] = Sum(
            unit=one.unit,
            lines=before.lines + one.lines,
            debit_minor=before.debit_minor + one.debit_minor,
            credit_minor=before.credit_minor + one.credit_minor,
        )
    return [sums[unit] for unit in sorted(sums)]


def check_files(folder: Path, manifest: Manifest) -> None:
    """Raises PermanentError (`file-altered`) unless every closed file is as it was written."""
    for file in manifest.files:
        if file.is_closed and (not (folder / file.name).is_file() or sha256_of(folder / file.name) != file.sha256):
            raise PermanentError(
                Problem(
                    code="file-altered",
                    message="the file is not as the export wrote it",
                    where=str(folder / file.name),
                    help="export into another folder, and compare",
                )
            )


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _bad(path: Path, message: str) -> PermanentError:
    return PermanentError(
        Problem(code="bad-manifest", message=message, where=str(path), help="export into another folder")
    )
