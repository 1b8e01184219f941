"""Texts are written all or none, and what was in a file is there again where that failed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from envspec.errors import UsageError
from envspec.spec.pin_writing import write_all

WRITE = os.pwrite


@pytest.mark.parametrize("new", ["shorter", "as long as what was there", "much longer than what was there before it"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("call", range(2))
def test_whichever_write_fails_all_files_are_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, error: BaseException, new: str
) -> None:
    before = {str(tmp_path / name): f"what was in {name} before it" for name in ("one", "two")}
    for file, text in before.items():
        Path(file).write_text(text)
    calls = iter(range(99))

    def pwrite(descriptor: int, content: bytes, offset: int) -> int:
        number = next(calls)
        if number == call:
            WRITE(descriptor, content[: len(content) // 2], offset)
            raise error
        return WRITE(descriptor, content, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    expected = UsageError if isinstance(error, OSError) else KeyboardInterrupt
    said = "cannot be written: No space left on device; it is unchanged" if isinstance(error, OSError) else "^$"
    with pytest.raises(expected, match=said):
        write_all(dict.fromkeys(before, new))
    assert {file: Path(file).read_text() for file in before} == before


def test_what_could_not_be_restored_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "one"
    file.write_text("before")

    def pwrite(descriptor: int, *_: object) -> int:
        WRITE(descriptor, b"xx", 0)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(UsageError, match=f"{file} cannot be written: Input/output error; {file} could not be restored"):
        write_all({str(file): "afterwards"})
