"""The API is sent what its description allows, and everything else: wrong types, hostile texts, missing and new fields.

Seeded; every operation of the description takes part, whoever adds one. Promise: no answer is a fault of ours (500),
each refusal is a problem with a code, each success is as described, and the ledger is sound afterwards.
"""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import quote

from runtime.database import Database
from tests.integration.rewards.over_http import OPENAPI, asking
from tests.support.decisions import decided
from tests.support.ledger import assert_sound, deliver

REQUESTS_PER_OPERATION = 12
HELD = decided(1, available_at_ms=32_503_680_000_000)
TEXTS = (
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "\ud800",
        "\u202e",
        "é" * 400,
        "x" * 5_000,
        "%",
        "%s",
        "'; DROP TABLE rewards.transfers; --",
    ),
    *("crm-sales", "USD", "POINTS", "usd", "XXX", "2026", "2026-Q9", "2026-13", "9999-12-31", "partner:ann"),
    *("partner:ann:available", "partner:ann:pending", "partner:a:b:available", "programme:crm-sales:cost", "a b"),
    *(HELD.id, HELD.id.upper(), "00000000-0000-0000-0000-000000000000", "2026-01-01T00:00:00Z", "-1", "1e9", "NaN"),
    *("../..", "a/b/c", "null", "[]", "{}", "\r\nX-A: b", "=1+1", "@SUM(A1)"),
)
NUMBERS = (0, 1, -1, 100, 10_000, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**30, 1.5, -0.0, 1e308)
OTHERS: tuple[object, ...] = (None, True, [], {}, [[]], {"minor": 1}, {"a": {"b": {"c": []}}})


class Draw:
    """Values for a schema of the description: mostly what it allows, often something else."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def one_in(self, n: int) -> bool:
        return self.random.randrange(n) == 0

    def value(self, schema: dict[str, Any]) -> Any:
        if self.one_in(12):
            return self.random.choice((*TEXTS, *NUMBERS, *OTHERS))
        if "$ref" in schema:
            return self.value(OPENAPI["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        if "anyOf" in schema:
            return self.value(self.random.choice(schema["anyOf"]))
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        match schema.get("type"):
            case "object":
                return self.fields(schema)
            case "array":
                return [self.value(schema.get("items", {})) for _ in range(self.random.randrange(4))]
            case "integer" | "number":
                least = schema.get("minimum", 0)
                return self.random.choice((*NUMBERS, least, schema.get("maximum", least + 5), least + 1))
            case "boolean":
                return self.random.choice((True, False))
            case "null":
                return None
            case _:
                return self.random.choice(TEXTS)

    def fields(self, schema: dict[str, Any]) -> dict[str, Any]:
        required = schema.get("required", [])
        made = {
            name: self.value(field)
            for name, field in schema.get("properties", {}).items()
            if not self.one_in(20 if name in required else 2)
        }
        return made | ({self.random.choice(TEXTS): 1} if self.one_in(15) else {})

    def text(self, schema: dict[str, Any]) -> str:
        """As it stands in a URL."""
        value = self.value(schema)
        said = value if isinstance(value, str) else json.dumps(value)
        if self.one_in(30):
            return self.random.choice(("%00", "%FF%FE", "%C0%80", "%2e%2e%2f", "%", "%zz"))
        return quote(said, safe="" if self.one_in(3) else "/:", errors="surrogatepass")


def request_of(draw: Draw, path: str, operation: dict[str, Any]) -> tuple[str, bytes, dict[str, str]]:
    """A URL, a body and headers."""
    asked = []
    for parameter in operation.get("parameters", []):
        text = draw.text(parameter["schema"])
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", text or "x")
        elif parameter["in"] == "query" and not draw.one_in(2):
            asked.append(f"{parameter['name']}={quote(text, safe='%')}")
    body = b""
    if described := operation.get("requestBody"):
        media = next(iter(described["content"].values()))
        body = json.dumps(draw.value(media.get("schema", {}))).encode()
        if draw.one_in(20):
            body = draw.random.choice((b"", b"{", b"\xff\xfe", b"[" * 50_000, b'{"a":' * 5_000, body[:-1], b"NaN"))
    headers = {"content-type": draw.random.choice(("application/json",) * 9 + ("text/plain",))}
    return path + ("?" + "&".join(asked) if asked else ""), body, headers


async def test_whatever_is_sent_no_answer_is_a_fault_of_ours(ledger_url: str, database: Database, seed: int) -> None:
    await deliver(database, HELD, *(decided(n, partner=f"p{n}") for n in range(10, 15)))
    draw = Draw(seed)
    statuses: dict[int, int] = {}
    async with asking(ledger_url, database) as http:
        for path, operations in OPENAPI["paths"].items():
            for method, operation in operations.items():
                for _ in range(REQUESTS_PER_OPERATION):
                    url, body, headers = request_of(draw, path, operation)
                    who = draw.random.choice(("operator", "operator", "operator", "fay", "abe", "vic", ""))
                    # The client cannot send what no HTTP client can.
                    answer = await http(who, method.upper(), f"/v1{url}", content=body, headers=headers)
                    statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
                    assert answer.status_code < 500, (method, url, body, answer.text)
                    assert answer.status_code < 400 or answer.json()["code"]
    assert {200, 401, 403, 404, 422} <= statuses.keys(), statuses
    await assert_sound(database)
