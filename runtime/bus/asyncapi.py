"""The topics as an AsyncAPI document: `faststream docs gen runtime.bus.asyncapi:app`. Never run, only described.

Payloads come from contracts/: FastStream reads pydantic types and ours are msgspec Structs, so each payload is a type
that hands pydantic the JSON Schema which msgspec wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from faststream import FastStream
from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from contracts.decisions import Decision
from contracts.events import StrictData
from contracts.facts import LedgerHead, RewardNotice, TransferPosted
from contracts.rates import RatePublished
from contracts.topics import CLICKS, DECISIONS, LEDGER, PARTNERS, RATES, REFERRALS, TOPICS, Topic

_PAYLOADS: Final[dict[Topic, tuple[str, *tuple[Any, ...]]]] = {
    CLICKS: ("Click", StrictData),
    REFERRALS: ("Referral", StrictData),
    PARTNERS: ("Partner", StrictData),
    DECISIONS: ("Decision", Decision),
    LEDGER: ("LedgerFact", TransferPosted, RewardNotice, LedgerHead),
    RATES: ("RatePublished", RatePublished),
}


def _payload(name: str, structs: Sequence[Any]) -> type:
    """A type whose JSON Schema is the Struct's, or one of theirs."""

    def core(cls: type, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.dict_schema()

    def json(cls: type, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        written, definitions = msgspec.json.schema_components(structs, ref_template="{name}")
        schemas = [_inlined(schema, definitions) for schema in written]
        return {**(schemas[0] if len(schemas) == 1 else {"oneOf": schemas}), "title": name}

    return type(
        name,
        (),
        {"__get_pydantic_core_schema__": classmethod(core), "__get_pydantic_json_schema__": classmethod(json)},
    )


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema with every reference replaced by what it names; our types do not contain themselves."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(definitions[schema["$ref"]], definitions)
        return {key: _inlined(value, definitions) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_inlined(value, definitions) for value in schema]
    return schema


def _described(topic: Topic) -> str:
    readers = ", ".join(topic.read_by) or "nobody yet"
    if topic.is_compacted:
        kept = "only the newest record of a key is kept"
    else:
        kept = "kept for ever" if topic.is_rebuilt_from else "kept as long as retention says"
    return (
        f"Key: {topic.key}. Written by {', '.join(topic.written_by)}; read by {readers}; {kept}."
        f" Binary-mode CloudEvents: context attributes are `ce_*` headers. Dead letters: `{topic.dlq}`."
    )


def _build() -> FastStream:
    broker = KafkaBroker("localhost:9092", logger=None, acks="all", enable_idempotence=True, apply_types=False)
    for topic in TOPICS:
        name, *structs = _PAYLOADS[topic]
        broker.publisher(topic.name, title=topic.name, description=_described(topic), schema=_payload(name, structs))
    return FastStream(
        broker,
        logger=None,
        specification=AsyncAPI(
            title="Goodword",
            version="1.0.0",
            description="What the services agree on.",
            license={"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        ),
    )


app: Final = _build()
