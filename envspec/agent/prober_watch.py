"""Notices that a prober hangs whole: one thread that keeps the interpreter to itself, or a SIGSTOP, stops all others.

The prober gives up a probe that hangs by itself, but not one that does not even let it look at the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from envspec.agent.loop import Loop

LOOK = 0.25
"""Seconds between two looks whether anything was heard."""
PATIENCE = 10
"""Looks in a row without a word after which a prober counts as hung: 2.5 s, which leaves other services some of a short
`start_timeout`; one that is well answers a ping within milliseconds, and being taken for hung costs it a new start.
Looks are counted, not seconds: where all of us were stopped, or the machine stood still, that is one look."""
LONGEST_PATIENCE = 4 * PATIENCE
FIRST_WORD = 4
"""How often the patience one has that is still coming up: 10 s at first."""


class ProberWatch:
    """Asks a prober for a sign of life as long as it has work, and calls `on_hung` once when none comes.

    One that was never heard of is still coming up, which on a busy machine takes its time: it has four times as much.
    """

    def __init__(self, loop: Loop, ping: Callable[[], None], on_hung: Callable[[], None]) -> None:
        self._loop = loop
        self._ping = ping
        self._on_hung = on_hung
        self._patience = PATIENCE
        self._round = 0
        self._works = False
        self._heard = False
        self._silent = self._mute = 0

    @property
    def silence(self) -> float:
        """Seconds for which it has owed a sign of life, as far as they were looked at."""
        return max(0, self._silent - 1) * LOOK

    def begin_anew(self) -> None:
        """Watch another prober from now on."""
        self._round += 1
        self._works = self._heard = False
        self._silent = self._mute = 0

    def hear(self) -> None:
        """Note that it has said something."""
        self._heard = True
        self._silent = 0

    def work(self) -> None:
        """Note that it has work; `rest` ends that."""
        if not self._works:
            self._works = True
            self._silent = 0
            self._look_later()

    def rest(self) -> None:
        """Note that it has none."""
        if self._works:
            self._works = False
            self._round += 1

    def be_patient(self) -> None:
        """Wait twice as long the next time, within reason."""
        self._patience = min(2 * self._patience, LONGEST_PATIENCE)

    def _look_later(self) -> None:
        self._loop.after(LOOK, partial(self._look, self._round))

    def _look(self, round_: int) -> None:
        if round_ != self._round:
            return
        owes_nothing = not self._silent
        self._silent += self._heard
        self._mute += not self._heard
        if owes_nothing:
            self._ping()
        if self._silent > self._patience or self._mute > FIRST_WORD * self._patience:
            self._on_hung()
        else:
            self._look_later()
