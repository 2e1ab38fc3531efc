"""A full disk is told once, and so is its end."""

from __future__ import annotations

from pathlib import Path

from goodword.embedded.disk import FREE_BYTES_MIN, DiskWatch


def test_a_full_disk_is_told_once_and_so_is_its_end() -> None:
    told: list[str] = []
    free = iter([FREE_BYTES_MIN, FREE_BYTES_MIN - 1, 0, FREE_BYTES_MIN, FREE_BYTES_MIN])
    watch = DiskWatch(Path("/data"), tell=told.append, free_bytes=lambda: next(free))
    for _ in range(5):
        watch.look()
    full, room = told
    assert "the disk is full (less than 32 MiB are free at /data)" in full
    assert room == "there is room on the disk again"


def test_the_disk_that_is_looked_at_is_that_of_the_folder(tmp_path: Path) -> None:
    told: list[str] = []
    DiskWatch(tmp_path, tell=told.append).look()
    assert told == []
