"""Two engines that judge the conditions of a rule set, and what they must agree on before it enters into force.

`compiled` is the one that decides live events; `durable` asks durable-rules, a Rete engine in C written by others, the
same questions. Both stand behind `port.Engine`. `second_opinion` replays events through the fold, as decided by
generated code, and asks the second engine about each of them (docs/adr/0003-own-rule-language.md).
"""

from __future__ import annotations

from services.rules.engines.apart import second_opinion_apart
from services.rules.engines.opinion import Disagreement, Opinion
from services.rules.engines.second import second_opinion

__all__ = ["Disagreement", "Opinion", "second_opinion", "second_opinion_apart"]
