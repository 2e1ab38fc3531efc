"""The mapping file: mistakes are told before anything is sent, with the place and all at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts.errors import PermanentError
from goodword.importing.mapping import Mapping, read_mapping
from goodword.importing.rows import Join, Rejected, RowMapper

HEAD = "schema: goodword/mapping/v1\nsource: crm/x\nprogramme: p\n"
EVENT = "events:\n  - {type: lead.registered, id: 'a-{id}', time: {from: day}, data: {lead: {id: '{id}'}}}\n"
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "crm-pipeline" / "mapping.yaml"


def read(tmp_path: Path, text: str) -> Mapping:
    file = tmp_path / "mapping.yaml"
    file.write_text(text)
    return read_mapping(file)


def mapper(tmp_path: Path, text: str, header: list[str], **joins: Join) -> RowMapper:
    return RowMapper(read(tmp_path, HEAD + text), header, joins)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not YAML"),
        ("a: 1\na: 2", "stands there twice"),
        (HEAD, "events"),
        (HEAD.replace("v1", "v9") + EVENT, "schema"),
        (HEAD.replace("crm/x", "crm:x") + EVENT, "source"),
        (HEAD + EVENT + "colour: red\n", "colour"),
        (HEAD + EVENT.replace("lead.registered", "lead.registred"), "events.0.type"),
        (HEAD + EVENT.replace("from: day", "from: day, timezone: Mars/Base"), "no IANA zone"),
        (HEAD + EVENT + "data: {x: {from: a, as: amount}}\n", "currency"),
        (HEAD + EVENT + "data: {x: {from: a, as: amount, currency: XXY}}\n", "ISO 4217"),
        (HEAD + EVENT + "data: {x: {from: a, multiply: 10}}\n", "multiply"),
        (HEAD + EVENT + "data: {x: {y: {from: a, as: float}}}\n", "x.y.as"),
        (HEAD + EVENT + "data: {x: [[1]]}\n", "x: give text"),
        (HEAD + EVENT + "join: {a.b: {file: f, key: k, on: id}}\n", "must not hold a dot"),
        (HEAD + EVENT + "csv: {encoding: latin-99}\n", "no encoding"),
        (HEAD + EVENT + "csv: {delimiter: ';;'}\n", "csv.delimiter"),
        (HEAD + EVENT + "order: random\n", "order"),
        (HEAD + EVENT + "repair: [{name: n, column: c, values: {}}]\n", "repair.0.values"),
    ],
)
def test_a_mistake_in_a_mapping_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PermanentError) as error:
        read(tmp_path, text)
    assert error.value.problem.code == "bad-mapping"
    assert said in f"{error.value.problem.message}\n{error.value.problem.help}"
    assert str(tmp_path / "mapping.yaml") in error.value.problem.where


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as error:
        read(tmp_path, HEAD.replace("crm/x", "crm:x") + EVENT + "order: random\ncolour: red\n")
    told = f"{error.value.problem.message}\n{error.value.problem.help}"
    assert all(word in told for word in ("3 mistakes", "source", "order", "colour"))


def test_scalars_are_text(tmp_path: Path) -> None:
    mapping = read(tmp_path, HEAD + EVENT + "data: {country: NO, day: 2017-01-01, price: 7.50, ok: true, count: 3}\n")
    assert mapping.data == {"country": "NO", "day": "2017-01-01", "price": "7.50", "ok": True, "count": 3}


def test_a_column_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as error:
        mapper(tmp_path, EVENT + "data: {partner: {from: agnet}}\n", ["id", "day", "agent"])
    assert error.value.problem.code == "unknown-column"
    assert "agnet" in error.value.problem.message
    assert "id, day, agent" in error.value.problem.help


ROWS = """
join: {team: {file: t.csv, key: agent, on: agent}}
repair: [{name: slip, column: team.office, values: {Centrl: Central}}]
reject: [{name: still open, when: {stage: [Open, New]}}]
flaw: [{name: no customer, when: {customer: {missing: true}}}]
data:
  partner: {from: agent, as: slug}
  customer: {id: {from: customer, as: slug}, employees: {from: size, as: integer}}
  attributes: {office: "{team.office}", label: "{stage}/{size}"}
events:
  - {type: lead.registered, id: 'a-{id}', time: {from: day}, data: {lead: {id: '{id}'}}}
  - type: deal.won
    when: {stage: Won}
    id: w-{id}
    time: {from: day}
    data: {deal: {id: '{id}', amount: {from: amount, as: amount, currency: USD}}, attributes: {kind: sale}}
"""
HEADER = ["id", "agent", "customer", "size", "stage", "day", "amount"]
TEAM = Join("team", ["agent", "office"], {"Ann A": ["Ann A", "Centrl"], "Bob B": ["Bob B", "East"]})


def events_of(made: RowMapper, row: str) -> Any:
    import msgspec

    found = made.map(row.split(","))
    return found if isinstance(found, Rejected) else [msgspec.json.decode(event.body) for event in found]


def test_a_row_gives_its_events_with_what_is_known(tmp_path: Path) -> None:
    made = mapper(tmp_path, ROWS, HEADER, team=TEAM)
    lead, won = events_of(made, "7, Ann A ,Cancity,20,Won,2017-03-01,1054")
    assert lead == {
        "specversion": "1.0",
        "type": "lead.registered",
        "source": "crm/x",
        "id": "a-7",
        "time": "2017-03-01T00:00:00Z",
        "data": {
            "programme": "p",
            "partner": "ann-a",
            "customer": {"id": "cancity", "employees": 20},
            "attributes": {"office": "Central", "label": "Won/20"},
            "lead": {"id": "7"},
        },
    }
    assert won["data"]["attributes"] == {"office": "Central", "label": "Won/20", "kind": "sale"}
    assert won["data"]["deal"] == {"id": "7", "amount": {"minor": 105400, "currency": "USD"}}
    assert made.counts.repairs == {"slip": 1}
    # What rows share must not have been changed by the second event.
    assert events_of(made, "8,Ann A,Cancity,20,Won,2017-03-01,1")[0]["data"]["attributes"] == {
        "office": "Central",
        "label": "Won/20",
    }


def test_a_join_that_is_not_required_joins_nothing_where_the_file_has_no_such_row(tmp_path: Path) -> None:
    rows = ROWS.replace("on: agent}", "on: agent, required: false}")
    (lead,) = events_of(mapper(tmp_path, rows, HEADER, team=TEAM), "7,Carl C,,,Lost,2017-03-01,")
    assert lead["data"] == {"programme": "p", "partner": "carl-c", "lead": {"id": "7"}}
    refused = events_of(mapper(tmp_path, ROWS, HEADER, team=TEAM), "7,Carl C,,,Lost,2017-03-01,")
    assert isinstance(refused, Rejected)
    assert refused.name == "unknown team"


def test_what_is_missing_is_left_out_and_the_flaw_counted(tmp_path: Path) -> None:
    made = mapper(tmp_path, ROWS, HEADER, team=TEAM)
    (lead,) = events_of(made, "7,Bob B,,,Lost,2017-03-01,")
    assert lead["data"] == {
        "programme": "p",
        "partner": "bob-b",
        "attributes": {"office": "East"},
        "lead": {"id": "7"},
    }
    assert made.counts.flaws == {"no customer": 1}


@pytest.mark.parametrize(
    ("row", "name", "column"),
    [
        ("7,Ann A,C,20,New,2017-03-01,1", "still open", "stage"),
        ("7,Ann A,C,20,Won,,1", "missing day", "day"),
        (",Ann A,C,20,Won,2017-03-01,1", "missing id", "id"),
        ("7,Ann A,C,20,Won,3/1/2017,1", "bad day", "day"),
        ("7,Ann A,C,many,Won,2017-03-01,1", "bad size", "size"),
        ("7,Ann A,C,20,Won,2017-03-01,1.005", "bad amount", "amount"),
        ("7,Zoe Z,C,20,Won,2017-03-01,1", "unknown team", "team"),
        ("7,Ann A,C", "wrong number of cells", ""),
    ],
)
def test_a_row_that_cannot_be_taken_is_refused_whole_by_name(tmp_path: Path, row: str, name: str, column: str) -> None:
    made = mapper(tmp_path, ROWS, HEADER, team=TEAM)
    refused = events_of(made, row)
    assert isinstance(refused, Rejected)
    assert (refused.name, refused.column) == (name, column)
    assert not made.counts.repairs
    assert not made.counts.flaws


def test_the_mapping_of_the_example_is_right() -> None:
    assert read_mapping(EXAMPLE).programme == "crm-sales"
