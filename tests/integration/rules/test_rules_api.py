"""HTTP of those who work on rule sets: roles, every step, every refusal, and answers as the OpenAPI tells them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jsonschema
import psycopg
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from contracts.errors import PermanentError
from contracts.events import parse_time_ms
from runtime.bus.port import Bus
from services.rules.api import build_api, routes
from services.rules.api.bodies import BODY_BYTES_MAX
from services.rules.lifecycle import Desk, read_audit
from services.rules.lifecycle.keys import create_rules_key, list_rules_keys, revoke_rules_key
from services.rules.states.state import decided_key, encode_decided
from services.rules.store import StateStore
from tests.integration.rules.harness import PROGRAMME, RULES, FixedClock
from tests.support.second_engine import needs_second_engine

pytestmark = needs_second_engine

DECIDED_MS = parse_time_ms("2026-03-01T00:00:00Z")
OPENAPI = build_api(None).openapi()
ONE = f"/v1/programmes/{PROGRAMME}/revisions/1"
RESTATEMENT = f"/v1/programmes/{PROGRAMME}/restatements/1"
PEOPLE = {"ana": ("editor",), "ben": ("approver",), "cleo": ("editor", "approver")}


class Http:
    """The API, asked by several people; every answer is held against its description."""

    def __init__(self, client: httpx.AsyncClient, tokens: dict[str, str]) -> None:
        self.client, self.tokens = client, tokens

    async def __call__(self, who: str, method: str, path: str, **asked: Any) -> httpx.Response:
        headers = asked.pop("headers", {})
        headers |= {"authorization": f"Bearer {self.tokens.get(who, who)}"} if who else {}
        answer = await self.client.request(method, path, headers=headers, **asked)
        check_described(method, answer)
        return answer


def check_described(method: str, answer: httpx.Response) -> None:
    """The body is as the OpenAPI says for this path and status."""
    path = answer.request.url.path.removeprefix("/v1")
    for template, operations in OPENAPI["paths"].items():
        pattern = "[^/]+".join(re.escape(part) for part in re.split(r"\{.*?\}", template))
        if method.lower() in operations and re.fullmatch(pattern, path):
            break
    else:
        assert answer.status_code in {404, 405}, path
        return
    responses = operations[method.lower()]["responses"]
    described = responses.get(str(answer.status_code), responses.get("default"))
    media = answer.headers["content-type"].split(";")[0]
    if answer.status_code >= 400:
        assert media == "application/problem+json"
        described = OPENAPI["paths"]["/audit"]["get"]["responses"]["default"]
    schema = described.get("content", {}).get(media, {}).get("schema")
    if schema and media.endswith("json"):
        jsonschema.validate(answer.json(), {**schema, "components": OPENAPI["components"]})


@pytest.fixture
def desk(schema_url: str, bus: Bus, store: StateStore) -> Desk:
    return Desk(postgres=schema_url, bus=bus, store=store, clock=FixedClock())


@pytest.fixture
async def http(desk: Desk) -> AsyncIterator[Http]:
    tokens = {"operator": "secret"}
    for owner, roles in PEOPLE.items():
        _, tokens[owner] = await create_rules_key(desk.postgres, owner=owner, roles=roles, who="root", clock=desk.clock)
    made = routes(desk, admin_key=SecretStr("secret"))
    transport = httpx.ASGITransport(Starlette(routes=made))
    async with httpx.AsyncClient(transport=transport, base_url="http://rules") as client:
        yield Http(client, tokens)


async def test_a_rule_set_is_published_once_and_listed(http: Http) -> None:
    first = await http("ana", "POST", "/v1/rulesets", params={"path": "crm.yaml", "note": "first"}, content=RULES)
    again = await http("ana", "POST", "/v1/rulesets", content=RULES)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() | {"is_new": False, "second_opinion": ""} == again.json()
    (listed,) = (await http("ben", "GET", "/v1/revisions", params={"programme": PROGRAMME})).json()["revisions"]
    assert listed == (await http("ben", "GET", ONE)).json()
    told = ("revision", "digest", "path", "effective_from", "published_at", "author", "state", "note")
    assert {name: listed[name] for name in told} == {
        "revision": 1,
        "digest": first.json()["digest"],
        "path": "crm.yaml",
        "effective_from": "2016-01-01T00:00:00.000Z",
        "published_at": "2026-11-22T12:00:00.000Z",
        "author": "ana",
        "state": "active",
        "note": "first",
    }


async def test_a_draft_is_tested_approved_and_activated_by_those_who_may(http: Http) -> None:
    assert (await http("ana", "POST", "/v1/drafts", content=RULES)).status_code == 201
    assert (await http("ana", "POST", "/v1/drafts", content=RULES)).status_code == 200
    assert (await http("ben", "POST", f"{ONE}/approve")).json()["code"] == "not-now"
    tested = (await http("ana", "POST", f"{ONE}/test")).json()
    assert (tested["revision"]["state"], tested["problems"]) == ("tested", [])
    approved = await http("ben", "POST", f"{ONE}/approve", json={"note": "seen"})
    assert (approved.status_code, approved.json()["approved_by"]) == (200, "ben")
    assert (await http("ana", "GET", f"{ONE}/gate")).json() == {"problems": []}
    assert (await http("ben", "POST", f"{ONE}/activate")).json()["state"] == "active"
    rows = (await http("ana", "GET", "/v1/audit", params={"programme": PROGRAMME})).json()["rows"]
    assert [(row["action"], row["who"], row["note"]) for row in rows] == [
        ("submitted", "ana", ""),
        ("tested", "ana", ""),
        ("approved", "ben", "seen"),
        ("activated", "ben", ""),
    ]


async def test_nobody_approves_an_own_draft_whatever_the_key(http: Http, desk: Desk) -> None:
    _, http.tokens["other key"] = await create_rules_key(
        desk.postgres, owner="Cleo", roles=("approver",), who="root", clock=desk.clock
    )
    await http("cleo", "POST", "/v1/drafts", content=RULES)
    await http("cleo", "POST", f"{ONE}/test")
    for key in ("cleo", "other key"):
        refused = await http(key, "POST", f"{ONE}/approve")
        assert (refused.status_code, refused.json()["code"]) == (403, "own-draft")
    assert (await http("operator", "POST", f"{ONE}/approve")).json()["approved_by"] == "operator"


ROLES = {
    "publish": ("POST", "/v1/rulesets", {"editor"}),
    "submit": ("POST", "/v1/drafts", {"editor"}),
    "test": ("POST", f"{ONE}/test", {"editor"}),
    "approve": ("POST", f"{ONE}/approve", {"approver"}),
    "reject": ("POST", f"{ONE}/reject", {"approver"}),
    "withdraw": ("POST", f"{ONE}/withdraw", {"editor", "approver"}),
    "activate": ("POST", f"{ONE}/activate", {"editor", "approver"}),
    "roll back": ("POST", f"/v1/programmes/{PROGRAMME}/rollback", {"approver"}),
    "promote": ("POST", f"/v1/programmes/{PROGRAMME}/promote", {"approver"}),
    "list": ("GET", "/v1/revisions", {"editor", "approver"}),
    "show": ("GET", ONE, {"editor", "approver"}),
    "text": ("GET", f"{ONE}/text", {"editor", "approver"}),
    "words": ("GET", f"{ONE}/words", {"editor", "approver"}),
    "diff": ("GET", f"{ONE}/diff", {"editor", "approver"}),
    "gate": ("GET", f"{ONE}/gate", {"editor", "approver"}),
    "audit": ("GET", "/v1/audit", {"editor", "approver"}),
    "list restatements": ("GET", "/v1/restatements", {"editor", "approver"}),
    "show a restatement": ("GET", RESTATEMENT, {"editor", "approver"}),
    "its lines": ("GET", f"{RESTATEMENT}/lines", {"editor", "approver"}),
    "approve a restatement": ("POST", f"{RESTATEMENT}/approve", {"approver"}),
    "reject a restatement": ("POST", f"{RESTATEMENT}/reject", {"editor", "approver"}),
    "start a shadow": ("POST", f"{ONE}/shadow", {"editor"}),
    "end a shadow": ("POST", "/v1/shadow/end", {"editor"}),
    "show the shadow": ("GET", "/v1/shadow", {"editor", "approver"}),
    "its days": ("GET", "/v1/shadow/days", {"editor", "approver"}),
    "lead a contest": ("GET", f"/v1/contests/{PROGRAMME}/race", {"editor", "approver"}),
    "explain": ("GET", "/v1/explain", {"editor", "approver"}),
    "its partners": ("GET", "/v1/shadow/partners", {"editor", "approver"}),
}


def test_every_operation_is_in_the_table_of_roles() -> None:
    filled = {"{programme}": PROGRAMME, "{revision}": "1", "{number}": "1", "{contest}": "race"}
    described = {
        (method.upper(), re.sub(r"\{.*?\}", lambda found: filled[found[0]], path))
        for path, operations in OPENAPI["paths"].items()
        for method in operations
    }
    assert {(method, path.removeprefix("/v1")) for method, path, _ in ROLES.values()} == described


async def test_each_question_is_for_its_roles_and_for_nobody_without_a_key(http: Http, desk: Desk) -> None:
    for method, path, allowed in ROLES.values():
        for nobody in ("", "guess", "gw_" + "0" * 12 + "_" + "0" * 64):
            answer = await http(nobody, method, path, content="")
            assert (answer.status_code, answer.json()["code"]) == (401, "key-refused"), path
            assert answer.headers["www-authenticate"] == "Bearer"
        for who, (role, *_) in {"ana": PEOPLE["ana"], "ben": PEOPLE["ben"]}.items():
            answer = await http(who, method, path)
            is_refused = answer.status_code == 403
            assert is_refused is (role not in allowed), (who, path)
            assert not is_refused or answer.json()["code"] == "role-missing"
    assert {row.action for row in await read_audit(desk.postgres)} == {"key created"}


FAILING = (
    f"{RULES}\ntests: [{{name: a deal, events: [{{type: deal.won, deal.amount: 0 USD}}], expect: [tier: gold]}}]\n"
)
REFUSED = {
    "not UTF-8": (b"\xff\xfe", {}, 422, "not-utf-8"),
    "too large": (b"#" * (BODY_BYTES_MAX + 1), {}, 413, "body-too-large"),
    "a failing test": (
        FAILING.replace("effective_from: 2016", "effective_from: 2027").encode(),
        {},
        422,
        "rule-tests-failed",
    ),
    "errors in the file": (RULES.replace("deal.won", "deal.wonn").encode(), {}, 422, "rule-set-errors"),
    "reaching back": (RULES.encode(), {}, 409, "reaches-back"),
    "a canary of nothing": (
        RULES.replace("effective_from: 2016", "effective_from: 2027").encode(),
        {"canary_ppm": 5},
        409,
        "canary-without-base",
    ),
    "a canary for all": (RULES.encode(), {"canary_ppm": 1_000_000}, 422, "bad-request"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_refused_has_its_own_answer_and_is_not_stored(http: Http, store: StateStore, case: str) -> None:
    body, query, status, code = REFUSED[case]
    await store.save(1, await store.position(1), 5, {decided_key(PROGRAMME): encode_decided(DECIDED_MS)})
    answer = await http("ana", "POST", "/v1/rulesets", content=body, params=query)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await http("ana", "GET", "/v1/revisions")).json() == {"revisions": [], "next": None}


async def test_all_reasons_and_the_results_of_the_tests_are_in_one_answer(http: Http, store: StateStore) -> None:
    await store.save(1, await store.position(1), 5, {decided_key(PROGRAMME): encode_decided(DECIDED_MS)})
    answer = (await http("ana", "POST", "/v1/rulesets", content=FAILING)).json()
    assert [each["code"] for each in answer["problems"]] == ["rule-tests-failed", "reaches-back"]
    assert [each["verdict"] for each in answer["tests"]] == ["fail"]


async def test_every_error_of_a_file_is_in_the_answer_with_its_place(http: Http) -> None:
    text = RULES.replace("deal.amount >= 100 USD", "deal.ammount >= 100 USD").replace("timezone: UTC", "timezone: Mars")
    answer = await http("ana", "POST", "/v1/drafts", params={"path": "crm.yaml"}, content=text)
    problems = answer.json()["problems"]
    assert [each["code"] for each in problems] == ["unknown-timezone", "unknown-path"]
    assert problems[0]["where"].startswith("crm.yaml:4:")


async def test_a_revision_is_shown_as_text_as_words_and_as_a_difference(http: Http) -> None:
    await http("ana", "POST", "/v1/rulesets", content=RULES)
    await http("ana", "POST", "/v1/drafts", content=RULES.replace("give: 20 USD", "give: 30 USD"))
    text = await http("ben", "GET", f"{ONE}/text")
    assert (text.text, text.headers["etag"]) == (RULES, f'"{(await http("ben", "GET", ONE)).json()["digest"]}"')
    two = ONE.replace("/1", "/2")
    changes = (await http("ben", "GET", f"{two}/diff")).json()
    assert changes["against"] == 1
    assert len(changes["changes"]) == 1
    assert (await http("ben", "GET", f"{two}/diff", params={"against": 2})).json()["changes"] == []
    assert (await http("ben", "GET", f"{ONE}/diff")).json()["code"] == "nothing-to-compare"
    for lang, expected in (("en", "$30"), ("pt-BR", "US$"), ("pl", "30")):
        assert expected in (await http("ben", "GET", f"{two}/words", params={"lang": lang})).text
    assert "<h1" in (await http("ben", "GET", f"{two}/words", params={"format": "html"})).text
    assert (await http("ben", "GET", f"{two}/words", params={"lang": "xx"})).json()["code"] == "unknown-language"
    assert (await http("ben", "GET", ONE.replace("/1", "/9"))).status_code == 404


async def test_long_lists_come_in_pages(http: Http) -> None:
    for number in range(7):
        await http("ana", "POST", "/v1/drafts", content=f"{RULES}# {number}\n")
    for path, name, field in (("/v1/revisions", "revisions", "revision"), ("/v1/audit", "rows", "number")):
        found: list[int] = []
        cursor: str | None = None
        pages = 0
        while pages == 0 or cursor:
            asked = {"limit": 3, "programme": PROGRAMME} | ({"cursor": cursor} if cursor else {})
            page = (await http("ana", "GET", path, params=asked)).json()
            assert len(page[name]) <= 3
            found += [row[field] for row in page[name]]
            cursor, pages = page["next"], pages + 1
        assert (len(found), found, pages) == (7, sorted(found), 3)
        for bad in ("x", "bm8=", "bm90IGEKbnVtYmVy", "LTE="):
            assert (await http("ana", "GET", path, params={"cursor": bad})).json()["code"] == "bad-cursor"
    rows = (await http("ana", "GET", "/v1/revisions", params={"state": "active"})).json()["revisions"]
    assert rows == []


async def test_a_canary_is_begun_and_promoted_and_a_revision_rolled_back(http: Http) -> None:
    await http("ana", "POST", "/v1/rulesets", content=RULES.replace("effective_from: 2016-01-01T00:00:00\n", ""))
    await http("ana", "POST", "/v1/drafts", content=RULES.replace("effective_from: 2016-01-01T00:00:00\n", "# two\n"))
    two = ONE.replace("/1", "/2")
    await http("ana", "POST", f"{two}/test")
    begun = await http("ana", "POST", f"{two}/activate", json={"canary": {"share_ppm": 50_000}})
    assert begun.json()["canary"] == {"base": 1, "share_ppm": 50_000}
    programme = f"/v1/programmes/{PROGRAMME}"
    assert (await http("ben", "POST", f"{programme}/promote")).json()["state"] == "active"
    back = await http("ben", "POST", f"{programme}/rollback", json={"to": 1, "note": "wrong"})
    assert (back.json()["revision"], back.json()["restores_revision"]) == (3, 1)
    endless = f'{{"note": "{"n" * 3 * BODY_BYTES_MAX}"}}'.encode()

    async def in_pieces() -> AsyncIterator[bytes]:
        for first in range(0, len(endless), 100_000):
            yield endless[first : first + 100_000]

    for content in (endless, in_pieces()):
        headers = {"content-type": "application/json"}
        too_large = await http("ben", "POST", f"{programme}/rollback", content=content, headers=headers)
        assert (too_large.status_code, too_large.json()["code"]) == (413, "body-too-large")
    unknown = await http("ben", "POST", f"{programme}/rollback", json={"into": 1})
    assert (unknown.status_code, unknown.json()["where"]) == (422, "body.into")


async def test_an_outage_is_answered_as_one(bus: Bus, store: StateStore) -> None:
    desk = Desk(postgres="postgresql://127.0.0.1:1/none", bus=bus, store=store, clock=FixedClock())
    transport = httpx.ASGITransport(Starlette(routes=routes(desk, admin_key=SecretStr("secret"))))
    async with httpx.AsyncClient(transport=transport, base_url="http://rules") as client:
        answer = await client.get("/v1/revisions", headers={"authorization": "Bearer secret"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]


async def test_a_key_is_kept_as_a_hash_and_refused_as_soon_as_it_is_revoked(http: Http, desk: Desk) -> None:
    keys = {row["owner"]: row for row in await list_rules_keys(desk.postgres)}
    assert set(keys["ana"]) == {"key_id", "owner", "roles", "created_at", "revoked_at"}
    async with await psycopg.AsyncConnection.connect(desk.postgres) as connection:
        stored = str(await (await connection.execute("SELECT * FROM rules.keys")).fetchall())
    assert [token for token in http.tokens.values() if token.rsplit("_", 1)[-1] in stored] == []
    for _ in range(2):
        assert await revoke_rules_key(desk.postgres, keys["ana"]["key_id"], who="root", clock=desk.clock)
        assert (await http("ana", "GET", "/v1/revisions")).status_code == 401
    assert not await revoke_rules_key(desk.postgres, "nosuchkey", who="root", clock=desk.clock)
    assert [row.action for row in await read_audit(desk.postgres)].count("key revoked") == 1


@pytest.mark.parametrize(
    ("owner", "roles", "code"),
    [
        ("ana", (), "unknown-role"),
        ("ana", ("boss",), "unknown-role"),
        ("Operator", ("editor",), "nobody"),
        ("", ("editor",), "nobody"),
    ],
)
async def test_a_key_without_a_role_or_an_owner_is_refused(
    desk: Desk, owner: str, roles: tuple[str, ...], code: str
) -> None:
    with pytest.raises(PermanentError) as refusal:
        await create_rules_key(desk.postgres, owner=owner, roles=roles, who="root", clock=desk.clock)
    assert refusal.value.problem.code == code


async def test_a_shadow_is_started_told_and_ended_by_editors(http: Http) -> None:
    await http("ana", "POST", "/v1/rulesets", content=RULES)
    await http("ana", "POST", "/v1/drafts", content=RULES.replace("give: 20 USD", "give: 30 USD"))
    two = f"/v1/programmes/{PROGRAMME}/revisions/2/shadow"
    assert (await http("ben", "POST", two)).json()["code"] == "role-missing"
    assert (await http("ben", "GET", "/v1/shadow")).status_code == 404
    assert (await http("ana", "POST", ONE + "/shadow")).json()["code"] == "already-in-force"
    assert (await http("ana", "POST", two, json={"share_ppm": 0})).status_code == 422
    started = await http("ana", "POST", two, json={"share_ppm": 5_000, "note": "to see"})
    assert (started.status_code, started.json()["share_ppm"], started.json()["state"]) == (201, 5_000, "running")
    assert (await http("cleo", "POST", two)).json()["code"] == "shadow-running"
    told = (await http("ben", "GET", "/v1/shadow", params={"programme": PROGRAMME})).json()
    assert (told["revision"], told["events"], told["rules"], told["examples"]) == (2, 0, [], [])
    assert (await http("ben", "GET", "/v1/shadow/days")).json() == {"days": [], "next": None}
    assert (await http("ben", "GET", "/v1/shadow/partners")).json() == {"partners": [], "next": None}
    ended = (await http("cleo", "POST", "/v1/shadow/end", json={"note": "seen"})).json()
    assert (ended["state"], ended["ended_by"]) == ("ended", "cleo")
    assert (await http("ana", "POST", "/v1/shadow/end")).status_code == 404
