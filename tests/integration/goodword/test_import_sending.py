"""The client's side of the front door, against a real HTTP server that answers as told."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.errors import PermanentError, Problem, TransientError
from goodword.importing.batches import Batch
from goodword.importing.sending import Answer, Door, open_client, send_all

OK = JSONResponse({"accepted": 2, "duplicates": 0, "rejected": []}, 202)


class FrontDoor:
    """Gives the planned answers in order, then `OK`; keeps the bodies it got."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.url = ""

    async def answer(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        self.headers = dict(request.headers)
        return self.answers.pop(0) if self.answers else OK


@asynccontextmanager
async def served(door: FrontDoor) -> AsyncIterator[FrontDoor]:
    listener = socket.create_server(("127.0.0.1", 0))
    door.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    routes = [Route("/v1/events", door.answer, methods=["POST"])]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield door
    finally:
        server.should_exit = True
        await serving


def batch(*lines: bytes) -> Batch:
    return Batch(list(lines), [("f", number) for number in range(1, len(lines) + 1)])


async def send(*answers: Response, retry_s_max: float = 30, body: Batch | None = None) -> tuple[Answer, FrontDoor, Any]:
    waits: list[tuple[str, float]] = []
    async with served(FrontDoor(*answers)) as door, open_client() as client:
        client_door = Door(
            door.url, "the-key", client, on_wait=lambda *wait: waits.append(wait), retry_s_max=retry_s_max
        )
        return await client_door.send(body or batch(b'{"a":1}', b'{"b":2}')), door, waits


async def test_lines_pass_through_as_they_are_with_the_key() -> None:
    answer, door, _ = await send()
    assert answer.accepted == 2
    assert door.bodies == [b'{"a":1}\n{"b":2}\n']
    assert door.headers["authorization"] == "Bearer the-key"
    assert door.headers["content-type"] == "application/x-ndjson"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_an_outage_is_waited_for_and_the_same_batch_sent_again(status: int) -> None:
    answer, door, waits = await send(Response(status_code=status), Response(status_code=status))
    assert answer.accepted == 2
    assert len(set(door.bodies)) == 1
    assert len(door.bodies) == 3
    assert [wait_s for _, wait_s in waits] == [0.1, 0.2]


async def test_retry_after_is_obeyed() -> None:
    _, _, waits = await send(Response(status_code=503, headers={"retry-after": "1"}))
    assert waits == [("answer 503", 1.0)]


async def test_an_outage_that_lasts_ends_the_import_and_says_that_nothing_is_lost() -> None:
    with pytest.raises(TransientError, match="run the same command again"):
        await send(*(Response(status_code=503) for _ in range(50)), retry_s_max=0.5)


async def test_nobody_listening_counts_as_an_outage() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with open_client() as client:
        door = Door(f"http://127.0.0.1:{port}", "k", client, on_wait=lambda *_: None, retry_s_max=0.3)
        with pytest.raises(TransientError, match="no answer"):
            await door.send(batch(b"{}"))


@pytest.mark.parametrize("status", [409, 422])
async def test_refused_events_are_an_answer_not_an_error(status: int) -> None:
    body = {
        "title": "none acceptable",
        "accepted": 0,
        "duplicates": 0,
        "rejected": [{"index": 1, "id": "x", "field": "time", "reason": "no offset", "code": "time-without-offset"}],
    }
    answer, _, _ = await send(JSONResponse(body, status))
    assert [(one.index, one.code) for one in answer.rejected] == [(1, "time-without-offset")]


@pytest.mark.parametrize(("status", "code"), [(401, "key-refused"), (403, "key-refused"), (404, "door-refused")])
async def test_a_refused_request_ends_the_import(status: int, code: str) -> None:
    with pytest.raises(PermanentError) as error:
        await send(Response(status_code=status))
    assert error.value.problem.code == code


async def test_an_answer_that_is_not_the_doors_ends_the_import() -> None:
    with pytest.raises(PermanentError, match="not the door's"):
        await send(Response("<html>", 202))


async def test_a_batch_that_is_too_large_is_halved_and_counted_by_its_own_indexes() -> None:
    rejected = {"index": 0, "id": "b", "field": "f", "reason": "r", "code": "c"}
    answer, door, _ = await send(
        Response(status_code=413),
        JSONResponse({"accepted": 1, "duplicates": 0, "rejected": []}, 202),
        JSONResponse({"accepted": 0, "duplicates": 0, "rejected": [rejected]}, 422),
    )
    assert door.bodies[1:] == [b'{"a":1}\n', b'{"b":2}\n']
    assert answer.accepted == 1
    assert answer.rejected[0].index == 1


async def test_one_event_that_is_too_large_is_rejected_by_name() -> None:
    answer, _, _ = await send(Response(status_code=413), body=batch(b"{}"))
    assert answer.rejected[0].code == "too-large"


async def test_batches_are_answered_in_order() -> None:
    seen: list[bytes] = []
    async with served(FrontDoor()) as door, open_client() as client:
        client_door = Door(door.url, "k", client, on_wait=lambda *_: None)
        batches = iter([batch(json.dumps({"n": n}).encode()) for n in range(20)])
        await send_all(client_door, batches, on_answer=lambda sent, _: seen.append(sent.body))
    assert seen == door.bodies == [b'{"n": %d}\n' % n for n in range(20)]


async def test_a_fault_while_reading_ends_the_import_with_its_reason() -> None:
    def torn() -> Iterator[Batch]:
        yield batch(b"{}")
        raise PermanentError(Problem(code="unreadable-file", message="torn"))

    async with served(FrontDoor()) as door, open_client() as client:
        with pytest.raises(PermanentError, match="torn"):
            await send_all(Door(door.url, "k", client, on_wait=lambda *_: None), torn(), on_answer=lambda *_: None)
    assert len(door.bodies) == 1
