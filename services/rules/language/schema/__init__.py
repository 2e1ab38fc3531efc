"""The rule language as a JSON Schema (draft 2020-12), so that editors complete names and paths and mark slips.

It is made from the reader's own lists of keys, paths, operators and events, so that it cannot know other words. An
editor's YAML reader types scalars before we do; so numbers and texts are both taken where the language has a number.
What a schema cannot say (whether a metric exists, whether units fit) only `goodword rules lint` tells.
"""

from __future__ import annotations

from services.rules.language.schema.whole import rule_file_schema

__all__ = ["rule_file_schema"]
