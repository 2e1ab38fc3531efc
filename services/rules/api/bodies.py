"""What is asked and answered, as OpenAPI tells it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect, Request

from contracts.errors import PermanentError, Problem
from runtime.api.pages import Asked
from services.rules.lifecycle import CanaryAsked

BODY_BYTES_MAX = 1_000_000
"""A rule set travels in one record of the log, which takes no more."""

Programme = Annotated[str, Path(max_length=128, description="The programme's id.")]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The revision's number.")]
FilePath = Annotated[str, Query(max_length=1_000, description="The file's name, for messages and for the record.")]
NoteQuery = Annotated[str, Query(max_length=2_000, description="Why; it stands in the audit log.")]
RULE_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A rule set, in YAML.",
        "content": {"application/yaml": {"schema": {"type": "string"}}},
    }
}
"""For OpenAPI: the body is the file itself."""


class Step(Asked):
    note: str = ""


class CanaryBody(Asked):
    """Either a share of the partners, in millionths, or a group of them."""

    share_ppm: Annotated[int | None, Field(gt=0, lt=1_000_000)] = None
    group: Annotated[str | None, Field(min_length=1, max_length=256)] = None


class Activation(Step):
    canary: CanaryBody | None = None
    without_second_opinion: bool = False

    def asked(self) -> CanaryAsked | None:
        return None if self.canary is None else CanaryAsked(share_ppm=self.canary.share_ppm, group=self.canary.group)


class Rollback(Step):
    to: Annotated[int | None, Field(ge=1, le=2**31 - 1, description="Whose text; else of the one before.")] = None


class ProblemRow(BaseModel):
    code: str
    message: str
    where: str = ""
    help: str = ""


class RevisionRow(BaseModel):
    """A revision, without its text. `state` is `scheduled` before its effective time."""

    programme: str
    revision: int
    state: Literal[
        "draft",
        "tested",
        "approved",
        "publishing",
        "canary",
        "scheduled",
        "active",
        "superseded",
        "rejected",
        "withdrawn",
    ]
    digest: str
    effective_from: str | None
    submitted_at: str
    published_at: str | None
    author: str
    approved_by: str | None
    approved_at: str | None
    base_revision: int | None
    restores_revision: int | None
    canary: dict[str, int | str | None] | None
    note: str
    path: str


class RevisionPage(BaseModel):
    revisions: list[RevisionRow]
    next: str | None = None


class PublishedBody(BaseModel):
    """How far a file came. `waits_for` is what a later step can still bring."""

    programme: str
    revision: int
    digest: str
    state: str
    effective_from_ms: int | None
    is_new: bool
    waits_for: list[ProblemRow]
    second_opinion: str


class TestedBody(BaseModel):
    """What the checks found; nothing stands against it when `problems` is empty."""

    revision: RevisionRow
    problems: list[ProblemRow]
    second_opinion: str
    tests: list[dict[str, Any]]


class GateBody(BaseModel):
    """Why the revision may not be activated now; it may when `problems` is empty."""

    problems: list[ProblemRow]


class ChangesBody(BaseModel):
    """What changed in meaning, in words, and whom it can touch."""

    against: int
    same_meaning: bool
    changes: list[dict[str, Any]]


class AuditRowBody(BaseModel):
    number: int
    at: str
    programme: str | None
    revision: int | None
    digest: str | None
    action: str
    who: str
    note: str
    details: dict[str, Any]
    hash: str


class AuditPage(BaseModel):
    rows: list[AuditRowBody]
    next: str | None = None


async def rule_file(request: Request) -> str:
    """The body as text. Raises PermanentError(`body-too-large`, `not-utf-8`)."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                message = f"a rule set has at most {BODY_BYTES_MAX} bytes"
                raise PermanentError(Problem(code="body-too-large", message=message))
    except ClientDisconnect as error:
        raise PermanentError(Problem(code="body-incomplete", message="the body ended before its end")) from error
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise PermanentError(Problem(code="not-utf-8", message=f"the file is not UTF-8: {error}")) from error
