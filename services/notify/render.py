"""A mail as it goes out: subject, text part, HTML part, headers. Pure but for reading its own templates once.

What it says comes from `texts.py`; `templates/` has the frame of both parts.

Promises: a text part always; everything that came from outside is escaped in HTML and cannot start a header; the
same input gives the same bytes (Message-ID and boundary are derived), so a mail can be told by its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

import jinja2
import mrml
import msgspec

from contracts.errors import GoodwordError
from services.notify.addresses import mailbox, one_line
from services.notify.messages import ROWS_OF, Details, Kind
from services.notify.texts import Texts, amount_of, day_of

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
        self._texts = Texts()
        self._frames = jinja2.Environment(
            loader=jinja2.PackageLoader("services.notify", "templates"),
            autoescape=jinja2.select_autoescape(("mjml.j2",), default=False),
            undefined=jinja2.StrictUndefined,
            auto_reload=False,
            keep_trailing_newline=True,
        )

    def language_of(self, wanted: str | None) -> str:
        """The closest language there are texts for."""
        return self._texts.language_of(wanted)

    def write(self, content: Content) -> EmailMessage:
        """The whole message. Raises RenderError."""
        language = self.language_of(content.language)
        try:
            variables = self._variables(content, language)
            subject = one_line(self._texts.subject(language, content.kind, variables))
            text = self._part("mail.txt.j2", content.kind, language, subject, variables)
            mjml = self._part("mail.mjml.j2", content.kind, language, subject, variables)
            html = mrml.to_html(mjml, render_options=_MJML).content
            return self._message(content, subject, text, html, language)
        except (jinja2.TemplateError, ValueError, LookupError, OSError) as error:
            raise RenderError(f"the mail {content.kind} could not be written in {language}: {error}") from error

    def _part(self, frame: str, kind: Kind, language: str, subject: str, variables: Mapping[str, object]) -> str:
        written = self._texts.write(language, kind, variables, is_html=frame == "mail.mjml.j2")
        return self._frames.get_template(frame).render(
            language=language, subject=subject, rows=variables["rows"], **written._asdict()
        )

    def _variables(self, content: Content, language: str) -> dict[str, object]:
        details = content.details
        reason = None if details.reason is None else self._texts.reason(language, details.reason)
        values = {**msgspec.structs.asdict(details), "reason": reason}
        names = self._texts.languages[language].rows
        return {
            "name": one_line(content.name or ""),
            "programme": content.programme,
            "about": details,
            "amount": amount_of(details, language),
            "available_on": day_of(details.available_on, language),
            "expires_on": day_of(details.expires_on, language),
            "reason": reason,
            "rows": [(names[row], values[row]) for row in ROWS_OF[content.kind] if values[row]],
        }

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
