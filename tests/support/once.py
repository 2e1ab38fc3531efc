"""What is dear to find out is found out once per run, not once per worker."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable
from typing import TypeVar

import pytest

Found = TypeVar("Found")


def once_per_run(folders: pytest.TempPathFactory, name: str, find: Callable[[], Found]) -> Found:
    """What `find` returns; only the first worker that asks calls it, the others wait for its answer.

    If it fails there, the next one tries.
    """
    base = folders.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / f"{name}.once").open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if kept := file.read():
            answer: Found = pickle.loads(kept)
            return answer
        found = find()
        file.write(pickle.dumps(found))
        return found
