"""The order of imported events: whatever fits into memory, the result is that of one stable sort."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import PermanentError
from goodword.importing import ordering
from goodword.importing.batches import batches
from goodword.importing.mapping import Dialect
from goodword.importing.ordering import Placed, in_order
from goodword.importing.reading import Source, csv_rows, json_lines


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.binary(max_size=20)), max_size=200), st.integers(1, 3_000))
def test_sorting_on_disk_equals_sorting_in_memory(found: list[tuple[int, bytes]], run_bytes_max: int) -> None:
    events = [Placed(time_ms, 0, number, number, body) for number, (time_ms, body) in enumerate(found)]
    assert list(in_order(events, run_bytes_max=run_bytes_max)) == sorted(events, key=lambda event: event.time_ms)


def test_more_runs_than_files_may_be_open_are_merged_in_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "RUNS_MAX", 3)
    events = [Placed((number * 7919) % 1000, 0, number, number, b"x" * 100) for number in range(500)]
    assert list(in_order(iter(events), run_bytes_max=1_000)) == sorted(events)


def test_batches_keep_order_and_limits() -> None:
    lines = [(("f", number), b"x" * (number % 50)) for number in range(1_000)]
    made = list(batches(iter(lines), events_max=90, bytes_max=2_000))
    assert [line for batch in made for line in batch.lines] == [line for _, line in lines]
    assert [place for batch in made for place in batch.places] == [place for place, _ in lines]
    assert all(len(batch.lines) <= 90 and len(batch.body) <= 2_000 for batch in made)


def test_a_line_larger_than_a_batch_has_one_of_its_own() -> None:
    made = list(batches(iter([(("f", 1), b"a"), (("f", 2), b"b" * 50), (("f", 3), b"c")]), bytes_max=10))
    assert [len(batch.lines) for batch in made] == [1, 1, 1]


def test_lines_keep_their_numbers_past_empty_ones_packed_or_not(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"a":1}\r\n\n  \n{"b":2}\n{"c":3}'
    plain, packed = tmp_path / "a.ndjson", tmp_path / "b.ndjson.gz"
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    expected = [(1, b'{"a":1}'), (4, b'{"b":2}'), (5, b'{"c":3}')]
    assert list(json_lines(Source(str(plain)))) == expected
    assert list(json_lines(Source(str(packed)))) == expected


def test_a_json_array_is_told_from_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("[\n{}\n]")
    with pytest.raises(PermanentError, match="not one event a line"):
        list(json_lines(Source(str(file))))


def test_a_torn_gzip_file_is_an_error_not_a_short_file(tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson.gz"
    file.write_bytes(gzip.compress(b'{"a":1}\n' * 10_000)[:-20])
    with pytest.raises(PermanentError):
        list(json_lines(Source(str(file))))


def test_rows_keep_the_line_they_begin_on(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('\ufeffa,b\n1,"x\ny"\n\n2,z\n')
    header, rows = csv_rows(Source(str(file)), Dialect())
    assert header == ["a", "b"]
    assert list(rows) == [(2, ["1", "x\ny"]), (5, ["2", "z"])]


@pytest.mark.parametrize(
    ("content", "said"), [("", "empty"), ("a,b,a\n", "two columns"), ('a,b\n1,"x', "unexpected end")]
)
def test_a_csv_file_that_cannot_be_read_says_why(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(content)
    with pytest.raises(PermanentError, match=said):
        list(csv_rows(Source(str(file)), Dialect())[1])
