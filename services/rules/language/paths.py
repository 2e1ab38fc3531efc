"""The catalogue of paths: everything a condition, a metric or a lookup can read, with its type and its origin.

There is no other list: the reader, the evaluator, the tests of rules and docs/rules.md#paths take it from here.
Metrics of a programme and `attributes.<key>` come on top. What identifies people (mail addresses, contacts, IP
prefixes) is left out on purpose, because traces keep the values that conditions saw.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

PathType = Literal["text", "texts", "number", "amount", "time", "flag", "attribute"]
"""`texts` is a list of texts; an `attribute` is whatever scalar the sender put there."""

TYPE_WORDS: Final[dict[PathType, str]] = {
    "text": "a text",
    "texts": "a list of texts",
    "number": "a number",
    "amount": "an amount",
    "time": "a time",
    "flag": "true or false",
    "attribute": "whatever the sender put there",
}


@dataclass(frozen=True, slots=True)
class KnownPath:
    """One path.

    Attributes:
        name: As written in rules.
        type: What it holds.
        meaning: One line for people.
        origin: The field of `contracts.events` (`Deal.amount`), or where else it comes from.
    """

    name: str
    type: PathType
    meaning: str
    origin: str

    @property
    def section(self) -> str:
        """`deal` of `deal.amount`; `tier` of `tier`."""
        return self.name.partition(".")[0]


_PATHS: Final = (
    KnownPath("event.type", "text", "the event's type, such as `deal.won`", "Event.type"),
    KnownPath("event.source", "text", "the system that sent it, such as `crm/acme`", "Event.source"),
    KnownPath("partner.id", "text", "the partner's id", "EventData.partner"),
    KnownPath("partner.name", "text", "the partner's name", "PartnerProfile.name"),
    KnownPath("partner.status", "text", "`registered`, `active`, `suspended`, …", "PartnerProfile.status"),
    KnownPath("partner.country", "text", "ISO 3166 code of the partner's country", "PartnerProfile.country"),
    KnownPath("partner.language", "text", "the language the partner reads", "PartnerProfile.language"),
    KnownPath("partner.groups", "texts", "the groups the partner is in", "PartnerProfile.groups"),
    KnownPath("partner.joined_at", "time", "when the partner joined", "PartnerProfile.joined_at"),
    KnownPath("partner.agreement_signed", "flag", "whether the agreement is signed", "PartnerProfile.agreement_signed"),
    KnownPath("customer.id", "text", "the customer's id", "Customer.id"),
    KnownPath("customer.name", "text", "the customer's name", "Customer.name"),
    KnownPath("customer.industry", "text", "the customer's industry", "Customer.industry"),
    KnownPath("customer.employees", "number", "how many work there", "Customer.employees"),
    KnownPath("customer.annual_revenue", "amount", "the customer's revenue of a year", "Customer.annual_revenue"),
    KnownPath("customer.country", "text", "the customer's country, as the sender writes it", "Customer.country"),
    KnownPath("lead.id", "text", "the lead's id", "Lead.id"),
    KnownPath("lead.channel", "text", "how the lead came", "Lead.channel"),
    KnownPath("deal.id", "text", "the deal's id", "Deal.id"),
    KnownPath("deal.product", "text", "what is sold", "Deal.product"),
    KnownPath("deal.stage", "text", "the stage of the sale", "Deal.stage"),
    KnownPath("deal.amount", "amount", "the deal's amount; of a refund, what is refunded", "Deal.amount"),
    KnownPath("survey.kind", "text", "`nps` or `csat`", "Survey.kind"),
    KnownPath("survey.score", "number", "the score", "Survey.score"),
    KnownPath("survey.about", "text", "what was asked about", "Survey.about"),
    KnownPath("activity.kind", "text", "what was done: a training, an event, product use", "Activity.kind"),
    KnownPath("activity.quantity", "number", "how often or how much; 1 unless said", "Activity.quantity"),
    KnownPath("link.code", "text", "the code of the partner's link", "Link.code"),
    KnownPath("link.channel", "text", "the channel of the link", "Link.channel"),
    KnownPath("link.campaign", "text", "the campaign of the link", "Link.campaign"),
    KnownPath("member", "text", "who of the partner's people it was", "EventData.member"),
    KnownPath("tier", "text", "the partner's tier before the event", "the partner's state"),
)

CATALOGUE: Final[dict[str, KnownPath]] = {each.name: each for each in _PATHS}
"""Name to path, in the order of the documentation."""

SECTIONS: Final = tuple(dict.fromkeys(each.section for each in _PATHS if "." in each.name))
"""`event`, `partner`, `customer`, …"""

RESERVED_NAMES: Final = frozenset({*SECTIONS, "member", "tier", "attributes", "any", "all", "not"})
"""What no metric can be called."""

NOT_FOR_RULES: Final = frozenset(
    {
        "PartnerProfile.email",
        "Lead.contact",
        "Link.landing_page",
        "Link.click_id",
        "Link.ip_prefix",
        "Link.user_agent_class",
    }
)
"""Fields of events that rules cannot read: they identify people or their devices."""

_ATTRIBUTE: Final = re.compile(r"attributes\.[^\s\[\]{},\"'<>=!]{1,128}")

_EVENTS_OF_SECTION: Final[dict[str, tuple[str, ...]]] = {
    "survey": ("survey.",),
    "activity": ("activity.",),
    "deal": ("deal.", "lead."),
    "lead": ("lead.", "deal."),
}


def known_path(name: str) -> KnownPath | None:
    """The path of that name, attributes included; None when there is none."""
    found = CATALOGUE.get(name)
    if found is None and _ATTRIBUTE.fullmatch(name):
        return KnownPath(name, "attribute", "", "EventData.attributes")
    return found


def can_be_in(path: str, event_type: str) -> bool:
    """Whether an event of that type can ever carry the path."""
    prefixes = _EVENTS_OF_SECTION.get(path.partition(".")[0])
    return prefixes is None or event_type.startswith(prefixes)


def fields_of(section: str) -> list[str]:
    return [each.name for each in _PATHS if each.name.startswith(f"{section}.")]
