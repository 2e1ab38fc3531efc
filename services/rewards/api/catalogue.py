"""What can be redeemed: catalogues published and read as they were written, and what is offered of them now."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from contracts.errors import PermanentError, Problem
from runtime.api.pages import Asked
from services.rewards.api.bodies import NO_NUL, ProgrammeQuery, Text
from services.rewards.api.books import Finance, TheBooks, Viewer
from services.rewards.api.once import Hand, Once, answers
from services.rewards.catalogue.items import Kind
from services.rewards.catalogue.publishing import CODE_LENGTH_MAX, CODES_MAX, Catalogues
from services.rewards.catalogue.reading import FILE_BYTES_MAX
from services.rewards.catalogue.store import Shelf

router = APIRouter()


class Offered(BaseModel):
    """An item that can be reserved now; `left` is none where there is no end."""

    programme: str
    version: int
    item: str
    kind: Kind
    price_minor: int
    unit: str
    tiers: list[str] | None
    starts: str | None
    ends: str | None
    per_person: int | None
    left: int | None
    text: dict[str, str]


class Catalogue(BaseModel):
    items: list[Offered]


class Source(BaseModel):
    """A version of a catalogue, as it was written."""

    programme: str
    version: int
    text: str


class Publication(Asked):
    """A catalogue in YAML (docs/redemption.md)."""

    text: Annotated[str, Field(min_length=1, max_length=FILE_BYTES_MAX)]


class Published(BaseModel):
    """A version; `is_new` is false where the newest one was the same already. `withdrawn` is not offered any more."""

    programme: str
    version: int
    is_new: bool
    items: int
    withdrawn: list[str]


class MoreCodes(Asked):
    """Codes for an item that says `stock: codes`."""

    programme: Text
    item: Text
    codes: Annotated[
        tuple[Annotated[str, Field(max_length=CODE_LENGTH_MAX, pattern=NO_NUL)], ...],
        Field(min_length=1, max_length=CODES_MAX),
    ]


class Loaded(BaseModel):
    """How many were new, and how many it had been given before."""

    item: str
    loaded: int
    known: int


@router.get("/catalogue")
async def list_catalogue(books: TheBooks, caller: Viewer, programme: ProgrammeQuery = None) -> Catalogue:
    """What is offered now, of one programme or of all."""
    found = await Catalogues(books.database, clock=books.clock).offered(programme)
    return Catalogue(items=[_offered(shelf) for shelf in found])


@router.get("/catalogue/source")
async def show_source(
    books: TheBooks,
    caller: Viewer,
    programme: Annotated[str, Query(max_length=128, pattern=NO_NUL)],
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Else the newest.")] = None,
) -> Source:
    """A version of a programme's catalogue, as it was written."""
    found = await Catalogues(books.database, clock=books.clock).source(programme, version)
    if found is None:
        which = "a catalogue" if version is None else f"a version {version} of its catalogue"
        message = f"{programme} does not have {which}"
        raise PermanentError(Problem(code="no-catalogue", message=message, help="`POST /v1/catalogue` makes one"))
    return Source(programme=programme, version=found[0], text=found[1])


@router.post("/catalogue", **answers(Published))
async def publish(books: TheBooks, caller: Finance, once: Once, body: Publication) -> Response:
    """Make a version of a programme's catalogue; what was reserved before keeps its own version and price.

    All faults of the text are told, each with its line, column and field.
    """

    async def work(hand: Hand) -> Published:
        made = await Catalogues(hand.connections, clock=books.clock).publish(body.text, path="text", by=caller.who)
        return Published(**made._asdict())

    return await once(work)


# Only a hash of the request is kept for whoever asks again: codes stand in one place only.
@router.post("/catalogue/codes", **answers(Loaded))
async def load_codes(books: TheBooks, caller: Finance, once: Once, body: MoreCodes) -> Response:
    """Give an item more codes; each is handed out once, those it had before are left out."""

    async def work(hand: Hand) -> Loaded:
        on = Catalogues(hand.connections, clock=books.clock)
        new = await on.load_codes(body.programme, body.item, body.codes, by=caller.who)
        return Loaded(item=body.item, loaded=new, known=len(body.codes) - new)

    return await once(work)


def _offered(shelf: Shelf) -> Offered:
    item = shelf.offer.item
    return Offered(
        programme=shelf.programme,
        version=shelf.offer.version,
        item=item.id,
        kind=item.kind,
        price_minor=item.price.minor,
        unit=item.price.unit,
        tiers=list(item.tiers) if item.tiers else None,
        starts=item.starts.isoformat() if item.starts else None,
        ends=item.ends.isoformat() if item.ends else None,
        per_person=item.per_person,
        left=shelf.stock.left,
        text=item.text,
    )
