"""A sending process to be killed: `python -m tests.integration.notify.sender_process POSTGRES SMTP_PORT`."""

from __future__ import annotations

import asyncio
import sys

from tests.integration.notify.support import running_sender, settings_for


async def main() -> None:
    async with running_sender(settings_for(sys.argv[1], int(sys.argv[2]))) as sender:
        await sender.wait()


if __name__ == "__main__":
    asyncio.run(main())
