"""The types of `contracts.events` without their regular expressions, for decoding a whole body at speed.

msgspec runs a pattern once per id, which is half of all decoding time. Here the same fields are decoded without
patterns, and `are_ids` checks the ids of a whole request in one go. The types are derived, not written again, so
they cannot drift: whatever decodes as `LooseData` and passes `are_ids` decodes as `EventData`, and encodes to the
same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from contracts.events import EventData
from contracts.ids import ID_LENGTH_MAX

_ID_CHARACTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~/@+-"
_DELETE_ID_CHARACTERS: Final = str.maketrans("", "", _ID_CHARACTERS)


def are_ids(texts: Sequence[str]) -> bool:
    """Whether `contracts.ids.is_id` holds for each of the texts."""
    if not texts:
        return True
    joined = "".join(texts)
    # isascii first: translate is fast for ASCII only.
    if not joined.isascii() or joined.translate(_DELETE_ID_CHARACTERS):
        return False
    return all(texts) and max(map(len, texts)) <= ID_LENGTH_MAX


def ids_of(data: EventData, into: list[str]) -> None:
    """Append every id of the data; a test holds this against the fields that `EventData` declares as `Id`."""
    into.append(data.programme)
    if data.partner is not None:
        into.append(data.partner)
    if data.customer is not None:
        into.append(data.customer.id)
    if data.deal is not None:
        into.append(data.deal.id)
    if data.lead is not None:
        into.append(data.lead.id)
    if data.link is not None:
        into.append(data.link.code)
    rare = (data.member, data.referral_code, data.coupon, data.period, data.refund_id)
    into.extend(text for text in rare if text is not None)


def _without_patterns(annotation: Any) -> Any:
    origin = get_origin(annotation)
    if origin is Annotated:
        base, *metas = get_args(annotation)
        kept = [meta for meta in metas if not (isinstance(meta, msgspec.Meta) and meta.pattern)]
        loose = _without_patterns(base)
        return Annotated[(loose, *kept)] if kept else loose
    if origin in (Union, UnionType):
        return Union[tuple(_without_patterns(part) for part in get_args(annotation))]  # noqa: UP007 - built at run time
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return _loose(annotation)
    return annotation


def _loose(struct: type[msgspec.Struct]) -> type[msgspec.Struct]:
    hints = get_type_hints(struct, include_extras=True)
    fields: list[Any] = []
    for field in msgspec.structs.fields(struct):
        if field.default_factory is not msgspec.NODEFAULT:
            default: Any = msgspec.field(default_factory=field.default_factory)
        else:
            default = field.default
        annotation = _without_patterns(hints[field.name])
        fields.append((field.name, annotation) if default is msgspec.NODEFAULT else (field.name, annotation, default))
    return msgspec.defstruct(
        f"Loose{struct.__name__}",
        fields,
        gc=False,
        kw_only=True,
        omit_defaults=struct.__struct_config__.omit_defaults,
        forbid_unknown_fields=struct.__struct_config__.forbid_unknown_fields,
    )


if TYPE_CHECKING:
    LooseData = EventData
    """Has every field of `EventData`; to the type checker, and to whoever uses it, it is one."""
else:
    LooseData = _loose(EventData)
