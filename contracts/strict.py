"""Types with the patterns that decoding at speed leaves out.

msgspec asks Python's `re` once for each text with a pattern, which is more than half of all decoding time. So the
contract's types name their patterns (`Meta(extra={"pattern": …})`) without having them run, whoever decodes many checks
all texts in one go, and `strict` makes the type that runs them: for the schema, and to find the one that is wrong.
The strict types are derived, not written again, so they cannot drift.
"""

from __future__ import annotations

from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta


@cache
def strict(struct: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The same type, by the same name, in which every named pattern is checked; as are those of the types within."""
    hints = get_type_hints(struct, include_extras=True)
    fields: list[Any] = []
    for field in msgspec.structs.fields(struct):
        annotation = _with_patterns(hints[field.name])
        if field.default_factory is not msgspec.NODEFAULT:
            fields.append((field.name, annotation, msgspec.field(default_factory=field.default_factory)))
        elif field.default is not msgspec.NODEFAULT:
            fields.append((field.name, annotation, field.default))
        else:
            fields.append((field.name, annotation))
    config = struct.__struct_config__
    return msgspec.defstruct(
        struct.__name__,
        fields,
        namespace={"__doc__": struct.__doc__},
        module=__name__,
        gc=False,
        kw_only=True,
        omit_defaults=config.omit_defaults,
        forbid_unknown_fields=config.forbid_unknown_fields,
    )


def _with_patterns(annotation: Any) -> Any:
    origin = get_origin(annotation)
    if origin is Annotated:
        base, *metas = get_args(annotation)
        return Annotated[(_with_patterns(base), *map(_with_pattern, metas))]
    if origin in (Union, UnionType):
        return Union[tuple(_with_patterns(part) for part in get_args(annotation))]  # noqa: UP007 - built at run time
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return strict(annotation)
    return annotation


def _with_pattern(meta: Any) -> Any:
    if not isinstance(meta, Meta) or not meta.extra:
        return meta
    return Meta(pattern=meta.extra["pattern"], description=meta.description)
