"""The sink's page: a list, one mail, its parts; the same as JSON under /api.

Mails are hostile input. Everything is escaped, no page runs a script or loads anything from elsewhere (Content
Security Policy), and a mail's HTML is shown only inside a frame without any rights.
"""

from __future__ import annotations

from typing import Any, Final

import jinja2
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.errors import Problem
from contracts.events import format_time
from goodword.mailsink.box import KeptMail, MailBox, header_of, part_of, summary_of
from runtime.http import json_response, problem_response

LIST_MAX: Final = 1_000
_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'none'"
)
_PART_POLICY: Final = "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1f2933 }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .35rem .6rem .35rem 0;
border-bottom: 1px solid #e4e7eb; overflow-wrap: anywhere; vertical-align: top } th { font-weight: 600 }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f5f7fa; padding: 1rem }
iframe { width: 100%; height: 36rem; border: 1px solid #e4e7eb } a { color: #0b69a3 } .quiet { color: #616e7c }
"""
_LIST: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Mails</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="refresh" content="5">
<style>{{ style }}</style></head><body><h1>Mails</h1>
<p class="quiet">{{ total }} kept. This sink takes every mail and sends none on.</p>
<table><tr><th>Received</th><th>To</th><th>Subject</th></tr>
{% for mail in mails %}<tr><td>{{ mail.received_at }}</td><td>{{ mail.recipients | join(", ") }}</td>
<td><a href="/mails/{{ mail.number }}">{{ mail.subject or "(no subject)" }}</a></td></tr>
{% else %}<tr><td colspan="3">No mail yet.</td></tr>{% endfor %}</table></body></html>
"""
_ONE: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ subject }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{{ style }}</style></head><body>
<p><a href="/">All mails</a></p><h1>{{ subject or "(no subject)" }}</h1>
<table>{% for name, value in headers %}<tr><th>{{ name }}</th><td>{{ value }}</td></tr>{% endfor %}</table>
<p><a href="/mails/{{ number }}/raw">As it came</a></p>
{% if text is not none %}<h2>Text</h2><pre>{{ text }}</pre>{% endif %}
{% if has_html %}<h2>HTML</h2><iframe sandbox="" title="The mail as HTML" src="/mails/{{ number }}/html"></iframe>
{% endif %}</body></html>
"""
_HEADERS: Final = ("From", "To", "Date", "Message-ID", "X-Goodword-Trace")

_templates: Final = jinja2.Environment(
    loader=jinja2.DictLoader({"list.html": _LIST, "one.html": _ONE}),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)


def build(box: MailBox) -> Starlette:
    """The web application over a box."""

    def find(request: Request) -> KeptMail | None:
        return box.get(request.path_params["number"])

    async def index(request: Request) -> Response:
        mails = [_as_json(mail) for mail in box.newest(100)]
        return _html(_templates.get_template("list.html").render(style=_STYLE, total=len(box), mails=mails))

    async def one(request: Request) -> Response:
        mail = find(request)
        return _html(_one_page(mail)) if mail else _not_found()

    async def html_part(request: Request) -> Response:
        mail = find(request)
        html = part_of(mail, "html") if mail else None
        return _html(html, policy=_PART_POLICY) if html is not None else _not_found()

    async def raw(request: Request) -> Response:
        mail = find(request)
        if mail is None:
            return _not_found()
        return Response(mail.raw, media_type="text/plain; charset=utf-8", headers=_safe(_PART_POLICY))

    async def list_json(request: Request) -> Response:
        text = request.query_params.get("limit", "100")
        if not text.isdecimal() or not 1 <= int(text) <= LIST_MAX:
            problem = Problem(code="bad-query", message=f"limit must be from 1 to {LIST_MAX}", where="query")
            return problem_response(problem, 422)
        mails = [_as_json(mail) for mail in box.newest(int(text))]
        return json_response({"total": len(box), "mails": mails}, headers=_safe(_PART_POLICY))

    async def one_json(request: Request) -> Response:
        mail = find(request)
        if mail is None:
            return _not_found()
        body = _as_json(mail) | {"text": part_of(mail, "plain"), "html": part_of(mail, "html")}
        return json_response(body, headers=_safe(_PART_POLICY))

    async def healthz(request: Request) -> Response:
        return json_response({"service": "mailsink", "status": "alive", "mails": len(box)})

    return Starlette(
        routes=[
            Route("/", index),
            Route("/mails/{number:int}", one),
            Route("/mails/{number:int}/html", html_part),
            Route("/mails/{number:int}/raw", raw),
            Route("/api/mails", list_json),
            Route("/api/mails/{number:int}", one_json),
            Route("/healthz", healthz),
        ]
    )


def _one_page(mail: KeptMail) -> str:
    message = mail.message()
    headers = [
        ("Received", format_time(mail.received_at_ms)),
        ("Envelope", f"{mail.sender} → {', '.join(mail.recipients)}"),
    ]
    headers += [(name, header_of(message, name)) for name in _HEADERS if name in message]
    return _templates.get_template("one.html").render(
        style=_STYLE,
        number=mail.number,
        subject=header_of(message, "Subject"),
        headers=headers,
        text=part_of(mail, "plain"),
        has_html=part_of(mail, "html") is not None,
    )


def _as_json(mail: KeptMail) -> dict[str, Any]:
    fields = msgspec.structs.asdict(summary_of(mail))
    return fields | {"received_at": format_time(mail.received_at_ms)}


def _html(text: str, *, policy: str = _PAGE_POLICY) -> Response:
    return Response(text.encode(errors="replace"), media_type="text/html; charset=utf-8", headers=_safe(policy))


def _safe(policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def _not_found() -> Response:
    return problem_response(Problem(code="no-such-mail", message="there is no such mail, or not any more"), 404)
