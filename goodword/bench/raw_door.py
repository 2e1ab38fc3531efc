"""The raw path beside tracking: HTTP in, the same bytes into the same log, and no work in between.

A bare ASGI application on the same uvicorn: it reads the body, cuts the batch between its events, publishes
every event as one opaque record, and answers when the log has them. No key, check, dedupe or attribution.
`python -m goodword.bench.raw_door PORT` takes the servers from the environment, as the service does.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import uvicorn
import uvloop

from contracts.topics import TOPICS, Topic
from runtime.bus.open import open_bus
from runtime.bus.port import Bus, Record
from runtime.settings import Settings

RAW: Final = Topic("goodword.bench.raw", "none", (), ())
_CUT: Final = b',{"specversion"'


def application(bus: Bus) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        chunks = []
        while True:
            message = await receive()
            chunks.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        events = b"".join(chunks)[1:-1].split(_CUT)
        await bus.publish(RAW.name, [Record(b"%d" % (number % 1000), event) for number, event in enumerate(events)])
        answer = b'{"accepted":%d}' % len(events)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app


async def run(port: int) -> None:
    settings = Settings()
    bus = open_bus(kafka=settings.kafka, postgres=settings.postgres, client="bench-raw-door")
    await bus.start()
    await bus.ensure_topics([*TOPICS, RAW], settings.partitions)
    try:
        config = uvicorn.Config(
            application(bus),
            port=port,
            lifespan="off",
            http="httptools",
            loop="none",
            access_log=False,
            log_config=None,
        )
        await uvicorn.Server(config).serve()
    finally:
        await bus.close()


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1])))
