"""A whole stack for one measurement, on the embedded bus or a named Kafka, gone in the end."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from goodword.embedded.folder import StackFolder
from goodword.embedded.ports import ports_in_a_row
from goodword.embedded.stack import Stack


@asynccontextmanager
async def temporary_stack(*, kafka: str | None) -> AsyncIterator[Stack]:
    """Started as `goodword up` starts it. The stack reads which Kafka to use from our environment, so that is set
    meanwhile and put back afterwards.
    """
    folder = StackFolder(Path(tempfile.mkdtemp(prefix="goodword-bench-stack-")))
    before = os.environ.get("GOODWORD_KAFKA")
    if kafka is not None:
        os.environ["GOODWORD_KAFKA"] = kafka
    try:
        folder.prepare()
        stack = Stack(folder, base_port=ports_in_a_row(), tell=lambda _: None)
        try:
            await stack.start()
            yield stack
        finally:
            await stack.stop(asyncio.Event())
            folder.release()
    finally:
        if before is None:
            os.environ.pop("GOODWORD_KAFKA", None)
        else:
            os.environ["GOODWORD_KAFKA"] = before
        shutil.rmtree(folder.path, ignore_errors=True)
