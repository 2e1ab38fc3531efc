"""A mail as it goes out: subject, text part, HTML part, headers. Pure but for reading its own templates once.

`templates/<language>/` holds one text and one MJML template a kind; the first line of the text template is the
subject. The sentences they share are data (`strings.yaml`), not macros: a macro would be escaped by where it was
written, and we need it escaped by where it is used. A language we lack falls back to its base language,
then to English.

Promises: a text part always; everything that came from outside is escaped in HTML and cannot start a header; the
same input gives the same bytes (Message-ID and boundary are derived), so a mail can be told by its id.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

import jinja2
import mrml
import msgspec
import yaml

from contracts.errors import GoodwordError
from contracts.money import Money, format_money
from services.notify.addresses import mailbox, one_line
from services.notify.messages import Details, Kind

LANGUAGE_DEFAULT: Final = "en"
_SUBJECT: Final = "Subject: "
# Without fonts mrml would have every mail load some from a third party, which tells that party who reads.
_MJML: Final = mrml.RenderOptions(disable_comments=True, fonts={})


class RenderError(GoodwordError):
    """The mail could not be written: a template or what it was given is wrong."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail says, and to whom.

    Attributes:
        trace: The trace id, for the header `X-Goodword-Trace`; may be empty.
        written_at_ms: The Date header.
        name, language: Of the partner; None when unknown.
    """

    fact: str
    kind: Kind
    programme: str
    address: str
    trace: str
    written_at_ms: int
    details: Details
    name: str | None = None
    language: str | None = None


class Writer:
    """Writes mails from one sender. Construct it once: it compiles the templates on first use."""

    def __init__(self, sender: Address) -> None:
        self._sender = sender
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("services.notify", "templates"),
            autoescape=jinja2.select_autoescape(("mjml.j2",), default=False),
            undefined=jinja2.StrictUndefined,
            auto_reload=False,
            keep_trailing_newline=True,
        )
        languages = {name.partition("/")[0] for name in self._templates.list_templates() if "/" in name}
        self._strings = {language: self._read_strings(language) for language in languages}

    def language_of(self, wanted: str | None) -> str:
        """The closest language there are templates for: `pt-BR`, then `pt`, then English."""
        by_lower = {language.lower(): language for language in self._strings}
        tag = (wanted or "").replace("_", "-").lower()
        return by_lower.get(tag) or by_lower.get(tag.partition("-")[0]) or LANGUAGE_DEFAULT

    def write(self, content: Content) -> EmailMessage:
        """The whole message. Raises RenderError."""
        language = self.language_of(content.language)
        try:
            subject, text = self._text(content, language)
            html = self._html(content, language, subject)
            return self._message(content, subject, text, html, language)
        except (jinja2.TemplateError, ValueError, LookupError, OSError) as error:
            raise RenderError(f"the mail {content.kind} could not be written in {language}: {error}") from error

    def _text(self, content: Content, language: str) -> tuple[str, str]:
        template = self._templates.get_template(f"{language}/{content.kind}.txt.j2")
        first, _, body = template.render(self._variables(content, language)).partition("\n")
        if not first.startswith(_SUBJECT):
            raise ValueError(f"{template.name} does not begin with `{_SUBJECT.strip()}`")
        return one_line(first.removeprefix(_SUBJECT)), body

    def _html(self, content: Content, language: str, subject: str) -> str:
        template = self._templates.get_template(f"{language}/{content.kind}.mjml.j2")
        mjml = template.render(self._variables(content, language), subject=subject)
        return mrml.to_html(mjml, render_options=_MJML).content

    def _variables(self, content: Content, language: str) -> dict[str, object]:
        details = content.details
        amount = None
        if details.amount_minor is not None and details.unit is not None:
            amount = format_money(Money(details.amount_minor, details.unit), details.decimals)
        name = one_line(content.name or "")
        strings = self._strings[language]
        return {
            "language": language,
            "greeting": strings["greeting"].format(name=name) if name else strings["greeting_without_name"],
            "footer": strings["footer"].format(programme=content.programme),
            "about": details,
            "amount": amount,
        }

    def _read_strings(self, language: str) -> dict[str, str]:
        loader = self._templates.loader
        assert loader is not None
        source, _, _ = loader.get_source(self._templates, f"{language}/strings.yaml")
        strings: dict[str, str] = yaml.safe_load(source)
        return strings

    def _message(self, content: Content, subject: str, text: str, html: str, language: str) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = self._sender
        message["To"] = mailbox(content.name or "", content.address)
        message["Subject"] = subject
        message["Date"] = format_datetime(datetime.fromtimestamp(content.written_at_ms // 1000, UTC))
        message["Message-ID"] = message_id(content.fact, content.kind, self._sender.domain)
        # RFC 3834, section 5: out-of-office programs must not answer us.
        message["Auto-Submitted"] = "auto-generated"
        if content.trace:
            message["X-Goodword-Trace"] = content.trace
        # 7-bit whatever the relay can: 8BITMIME need not be asked for, and no hop re-encodes.
        message.set_content(text, cte="quoted-printable")
        message.add_alternative(html, subtype="html", cte="quoted-printable")
        message["Content-Language"] = language
        message.set_boundary(f"=_{content.fact}.{content.kind}")
        return message


def message_id(fact: str, kind: Kind, domain: str) -> str:
    """The same for every attempt at the same mail, so that relays and readers can tell a repeat."""
    return f"<{fact}.{kind}@{domain}>"
