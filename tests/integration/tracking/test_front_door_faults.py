"""The front door while servers are away, when it is killed, when it is stopped, and under too much load.

In every test the verdict is read from the log: an event that was answered 202 is there, one that was not answered may
be sent again and is there once.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec
import pytest

from contracts.topics import REFERRALS
from goodword.embedded.postgres import PostgresServer
from goodword.embedded.valkey import ValkeyServer
from services.tracking.admin import create_key, revoke_key
from tests.integration.tracking.test_front_door_answers import event
from tests.support.tracking import ADMIN_KEY, TrackingProcess, ids_of, read_topic, tracking_process

RECOVER_S_MAX = 90.0


def send_until_taken(door: TrackingProcess, id: str) -> httpx.Response:
    """As a sender does: again and again while the answer is 503."""
    deadline = time.monotonic() + RECOVER_S_MAX
    while True:
        answer = door.send(event(id))
        if answer.status_code != 503 or time.monotonic() > deadline:
            return answer
        time.sleep(0.2)


async def test_what_was_answered_is_in_the_log_after_kill_9(own_door: TrackingProcess) -> None:
    for number in range(5):
        assert own_door.send([event(f"k-{number}-{n}") for n in range(100)]).json()["accepted"] == 100
    own_door.kill()
    ids = [id for id in ids_of(await read_topic(own_door.postgres, REFERRALS)) if id.startswith("k-")]
    assert sorted(ids) == sorted(f"k-{number}-{n}" for number in range(5) for n in range(100))
    own_door.start()
    again = own_door.send([event(f"k-0-{n}") for n in range(100)]).json()
    assert (again["accepted"], again["duplicates"]) == (0, 100)


async def test_redis_away_is_503_and_loses_nothing(own_door: TrackingProcess, valkey_server: ValkeyServer) -> None:
    assert own_door.send(event("before")).status_code == 202
    valkey_server.kill()
    try:
        answer = own_door.send(event("during"))
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert (answer.json()["code"], answer.json()["accepted"]) == ("unavailable", 0)
        assert own_door.client.get("/readyz").status_code == 503
        assert own_door.client.get("/healthz").status_code == 200
    finally:
        valkey_server.start()
    assert send_until_taken(own_door, "during").json()["accepted"] == 1
    assert own_door.send(event("before")).json()["duplicates"] == 1
    ids = ids_of(await read_topic(own_door.postgres, REFERRALS))
    assert (ids.count("before"), ids.count("during")) == (1, 1)


async def test_the_log_away_is_503_and_loses_nothing(
    own_door: TrackingProcess, postgres_server: PostgresServer
) -> None:
    link = {"code": "away", "programme": "crm", "partner": "p", "target": "https://example.com/"}
    assert own_door.client.post("/v1/links", json=link).status_code == 201
    assert own_door.client.get("/r/away").status_code == 302
    assert own_door.send(event("before")).status_code == 202
    postgres_server.kill()
    try:
        answer = own_door.send(event("during"))
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["retry-after"]) >= 1
        assert own_door.client.get("/r/away").status_code == 302, "a known link works without the log"
    finally:
        postgres_server.start()
    found = send_until_taken(own_door, "during").json()
    assert found["accepted"] + found["duplicates"] == 1
    ids = ids_of(await read_topic(own_door.postgres, REFERRALS))
    assert ids.count("before") == 1
    assert ids.count("during") >= 1


async def test_a_request_in_hand_is_finished_when_the_service_stops(own_door: TrackingProcess) -> None:
    body = msgspec.json.encode(event("in-hand"))
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", own_door.port), timeout=30) as connection:
        connection.sendall(head + body[:-10])
        _until_in_hand(own_door)
        own_door.terminate()
        _until_refused(own_door)
        connection.sendall(body[-10:])
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 202"), answer
    assert own_door.wait() == 0
    assert "in-hand" in ids_of(await read_topic(own_door.postgres, REFERRALS))


def test_memory_is_bounded_whatever_is_sent(postgres_url: str, valkey_url: str, tmp_path: Path) -> None:
    """Forty senders with 5 MiB each against a limit of 16 MiB: some are told to wait, and memory stays where it is."""
    limits = {"GOODWORD_TRACKING_INFLIGHT_BYTES_MAX": str(16 * 1024 * 1024)}
    body = b"[" + b"1," * 2_400_000 + b"1]"
    with tracking_process(postgres_url, valkey_url, tmp_path, limits) as door:
        assert door.send(event()).status_code == 202
        before = _peak_mebibytes(door.pid)

        def send(_: int) -> int:
            headers = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
            with httpx.Client(timeout=120) as client:
                return client.post(f"{door.url}/v1/events", content=body, headers=headers).status_code

        with ThreadPoolExecutor(40) as pool:
            statuses = list(pool.map(send, range(40)))
        assert set(statuses) <= {413, 503}
        assert 413 in statuses
        assert _peak_mebibytes(door.pid) - before < 250
        assert door.send(event()).status_code == 202
        assert "goodword_tracking_inflight_bytes 0.0" in door.client.get("/metrics").text


@pytest.fixture(scope="module")
def impatient_door(
    postgres_module_url: str, valkey_server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrackingProcess]:
    """A service that waits for no body, and asks for every key every time."""
    valkey_server.start()
    limits = {"GOODWORD_TRACKING_BODY_SECONDS_MAX": "0.3", "GOODWORD_TRACKING_KEYS_CACHED_S": "0"}
    folder = tmp_path_factory.mktemp("impatient")
    with tracking_process(postgres_module_url, valkey_server.url, folder, limits) as process:
        yield process


def test_a_body_that_takes_for_ever_is_answered_408(impatient_door: TrackingProcess) -> None:
    with socket.create_connection(("127.0.0.1", impatient_door.port), timeout=30) as connection:
        head = (
            f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n["
        )
        connection.sendall(head.encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408")


async def test_a_revoked_key_is_refused(impatient_door: TrackingProcess) -> None:
    key, token = await create_key(impatient_door.postgres, name="crm", sources=("crm/*",), may_name_partner=True)
    bearer = {"authorization": f"Bearer {token}"}
    assert impatient_door.send(event(), headers=bearer).status_code == 202
    assert await revoke_key(impatient_door.postgres, key.key_id)
    answer = impatient_door.send(event(), headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (401, "key-revoked")


async def test_a_click_id_outlives_the_process_that_signed_it(own_door: TrackingProcess) -> None:
    link = {"code": "both", "programme": "crm", "partner": "p", "target": "https://example.com/"}
    assert own_door.client.post("/v1/links", json=link).status_code == 201
    async with httpx.AsyncClient() as visitor:
        click_id = (await visitor.get(f"{own_door.url}/r/both")).cookies["gw_click"]
    own_door.kill()
    own_door.start()
    lead = event("by-click", type="lead.registered", lead={"id": "L"}, click_id=click_id)
    lead["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    del lead["data"]["partner"], lead["data"]["deal"]
    assert own_door.send(lead).json() == {"accepted": 1, "duplicates": 0, "rejected": []}


def _until_in_hand(door: TrackingProcess) -> None:
    deadline = time.monotonic() + 30
    while "goodword_tracking_inflight_bytes 0.0" in httpx.get(f"{door.url}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _until_refused(door: TrackingProcess) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", door.port), timeout=1).close()
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError("the service still listens")


def _peak_mebibytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024
