"""Real rows that are not ours to ship: where they lie on this machine, if they do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def data_folder(name: str) -> Path | None:
    """A folder of the one that GOODWORD_DATA_DIR names, or of `../shared/data` beside the checkout."""
    named = os.environ.get("GOODWORD_DATA_DIR")
    folder = (Path(named) if named else ROOT.parent / "shared" / "data") / name
    return folder if folder.is_dir() else None


def require_data_folder(name: str) -> Path:
    folder = data_folder(name)
    if folder is None:
        pytest.skip(f"the rows of {name} are not on this machine: set GOODWORD_DATA_DIR to the folder that holds them")
    return folder
