"""`envspec models pull` on a terminal: bars while models come, and nothing of them behind it."""

from __future__ import annotations

import re
import signal
from io import StringIO
from typing import Any

import pytest

from envspec.cli.models_progress import Bars
from envspec.models.source import Progress
from tests.cli.conftest import eventually
from tests.cli.test_models_pull import INTERRUPTED, TWO
from tests.cli.test_terminal import HIDE_CURSOR, SHOW_CURSOR, Terminal
from tests.models.hub_models import write_model
from tests.models.hub_server import Hub


def test_a_terminal_has_room_for_the_echo_of_ctrl_c_behind_each_bar(envspec: Any, hub: Hub) -> None:
    """Behind a line that is full it would begin another, and what is redrawn is only that one."""
    name = "org/a-name-of-which-a-bar-of-twenty-columns-leaves-no-room"
    write_model(hub.root, name, 3)
    hub.spoil("model.safetensors", stall=2_000_000, times=9)
    terminal = Terminal(envspec, "models", "pull", name)
    eventually(lambda: "━" in terminal.words, "a bar")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    drawn = [line for line in re.split(r"[\r\n]+", terminal.words) if "━" in line]
    assert 70 < max(map(len, drawn)) <= 78
    assert terminal.text.endswith(f"\r\n{SHOW_CURSOR}\r\x1b[1A\x1b[2K{INTERRUPTED}\r\n")


class Screen(StringIO):
    """A terminal that nobody looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("kept", "has_speed"), [(0, True), (60 * 10**6, False)], ids=["came", "was-here"])
def test_what_was_here_has_no_speed(*, kept: int, has_speed: bool) -> None:
    screen = Screen()
    bars = Bars(screen, ["chat"])
    for done in range(1, 7):
        bars.tell("chat", Progress(done * 10**7, 10**8, min(kept, done * 10**7)))
    bars.close()
    drawn = screen.getvalue().rpartition("chat")[2]
    assert "60.0/100.0 MB" in drawn
    assert ("B/s" in drawn) is has_speed


def test_a_terminal_shows_bytes_and_is_left_clean(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 3)
    hub.spoil("model.safetensors", cut=1_000_000, times=3)
    envspec.write(TWO)
    terminal = Terminal(envspec, "models", "pull")
    assert terminal.end() == 0
    assert re.search(r"chat .*[\d.]+/[\d.]+ MB", terminal.words)
    assert re.search(r"tiny +1\.24 MB in ", terminal.words)
    assert terminal.text.rindex(SHOW_CURSOR) > terminal.text.rindex(HIDE_CURSOR)
