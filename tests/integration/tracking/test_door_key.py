"""The key of an import that knows only URLs: it opens the door while the command runs, and then no more."""

from __future__ import annotations

from pathlib import Path

from goodword.importing.door_key import NAME, door_key
from goodword.target import Target
from services.tracking.admin import keys
from tests.support.tracking import TrackingProcess, tracking_process

EVENT = {
    "specversion": "1.0",
    "type": "deal.won",
    "source": "crm/acme",
    "id": "opp-1",
    "time": "2017-03-01T00:00:00Z",
    "data": {
        "programme": "crm",
        "partner": "ann",
        "deal": {"id": "1", "amount": {"minor": 1, "currency": "USD"}},
    },
}


def send(door: TrackingProcess, key: str) -> int:
    return door.send(EVENT, headers={"authorization": f"Bearer {key}"}).status_code


async def test_a_key_of_the_commands_own_opens_the_door_until_it_ends(
    postgres_url: str, valkey_url: str, tmp_path: Path
) -> None:
    at_once = {"GOODWORD_TRACKING_KEYS_CACHED_S": "0"}
    with tracking_process(postgres_url, valkey_url, tmp_path, at_once) as door:
        async with door_key(Target(postgres=postgres_url, redis=valkey_url)) as key:
            assert send(door, key) == 202
        assert send(door, key) == 401
    (kept,) = await keys(postgres_url)
    assert kept["name"] == NAME
    assert kept["revoked_at"] is not None


async def test_the_operators_key_is_used_where_it_is_known() -> None:
    async with door_key(Target(postgres="postgresql://nowhere", redis="", admin_key="operator")) as key:
        assert key == "operator"
