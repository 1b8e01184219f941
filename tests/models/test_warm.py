"""Weights are read into the page cache, as far as memory is free, and how far can be told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envspec.models.warm import free_memory, resident, warm

MB = 2**20


def cold(path: Path, size: int) -> Path:
    """Write a file and drop it from the page cache; skip where it cannot be dropped (memory is its disk)."""
    path.write_bytes(os.urandom(size))
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    if resident(path):
        pytest.skip("this file system keeps all files in memory")
    return path


def test_files_are_in_the_page_cache_afterwards(tmp_path: Path) -> None:
    files = [cold(tmp_path / "one", 8 * MB), cold(tmp_path / "two", 3 * MB + 5)]
    assert warm(files, 100 * MB) == (11 * MB + 5, 11 * MB + 5)
    assert [resident(file) for file in files] == [8 * MB, 3 * MB + 5]


def test_the_bound_is_kept_to_what_the_kernel_reads_ahead(tmp_path: Path) -> None:
    files = [cold(tmp_path / "one", 64 * MB), cold(tmp_path / "two", 64 * MB)]
    warmed, total = warm(files, 16 * MB)
    assert total == 128 * MB
    assert 16 * MB <= warmed < 64 * MB
    assert resident(files[1]) == 0


def test_what_is_in_memory_already_costs_nothing_of_the_bound(tmp_path: Path) -> None:
    there, cold_one = tmp_path / "there", cold(tmp_path / "cold", 4 * MB)
    there.write_bytes(os.urandom(8 * MB))
    assert warm([there, cold_one], 4 * MB) == (12 * MB, 12 * MB)


def test_an_empty_file_is_warm(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert warm([tmp_path / "empty"], MB) == (0, 0)


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        warm([tmp_path / "gone"], MB)


def test_free_memory_leaves_a_margin() -> None:
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    everything = int(fields["MemTotal"].split()[0]) * 1024
    assert 0 <= free_memory() <= everything * 0.9
