"""What cannot be written is told with the file, the reason and what to do."""

from __future__ import annotations

import errno
import os

import pytest

from envspec.agent.storage import writing
from envspec.errors import StateDirectoryError


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "free some space there, or point ENVSPEC_STATE_DIR at another disk"),
        (errno.EDQUOT, "your quota there is used up: free some, or point ENVSPEC_STATE_DIR at another disk"),
        (errno.EROFS, "it is mounted read-only: point ENVSPEC_STATE_DIR at a directory that can be written"),
        (errno.EACCES, "point ENVSPEC_STATE_DIR at a directory that can be written"),
    ],
)
def test_a_hint_follows_the_reason(number: int, hint: str) -> None:
    with pytest.raises(StateDirectoryError) as caught, writing("/state/log"):
        raise OSError(number, os.strerror(number), "/state/log/web.log")
    assert str(caught.value) == f"cannot write /state/log/web.log: {os.strerror(number)}"
    assert caught.value.hint == hint


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_a_lack_of_descriptors_is_not_taken_for_a_fault_of_the_path(number: int) -> None:
    with pytest.raises(OSError, match="open files") as caught, writing("/state/log"):
        raise OSError(number, os.strerror(number), "/state/log/web.log")
    assert caught.value.errno == number
