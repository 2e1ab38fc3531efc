"""`python -m goodword.mailsink --smtp-port 1025 --http-port 8714 --data DIR [--host 127.0.0.1]`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from goodword.mailsink.server import MAILS_MAX, run
from runtime import log


def main() -> int:
    parser = argparse.ArgumentParser(prog="goodword.mailsink", description="Takes every mail, sends none on.")
    parser.add_argument("--host", default="127.0.0.1", help="where both servers listen")
    parser.add_argument("--smtp-port", type=int, default=1025)
    parser.add_argument("--http-port", type=int, default=8714)
    parser.add_argument("--data", type=Path, required=True, help="folder that keeps the mails")
    parser.add_argument("--mails-max", type=int, default=MAILS_MAX, help="how many mails are kept")
    options = parser.parse_args()
    log.configure("mailsink")
    return asyncio.run(
        run(
            host=options.host,
            smtp_port=options.smtp_port,
            http_port=options.http_port,
            data=options.data,
            mails_max=options.mails_max,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
