"""Models on their way to the disk: bytes of total, speed, time left, and what holds them up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from envspec.plan import events as e
from envspec.report import states
from envspec.report.text import Span, one_line
from envspec.units import format_seconds, format_size

WINDOW = 5.0
"""Seconds that the speed is the mean of: long enough to stand still, short enough to be true."""


@dataclass(frozen=True)
class Download:
    """A model that is not ready yet, as its last events have it.

    `points` are (at, bytes) of the last seconds. `holder` names who gets it for us meanwhile. `retry` is why the next
    attempt is made, at `retry_at`.
    """

    name: str
    began: float
    done: int = 0
    total: int | None = None
    points: tuple[tuple[float, int], ...] = ()
    holder: str = ""
    retry: str = ""
    retry_at: float = 0.0

    @property
    def state(self) -> str:
        """The state's name: of a model, only what is under way is shown."""
        return "waiting" if self.holder else "retrying" if self.retry else "fetching"

    @property
    def speed(self) -> float | None:
        """Bytes a second of late, None while that cannot be told."""
        if len(self.points) < 2:
            return None
        (begin, before), (end, after) = self.points[0], self.points[-1]
        return (after - before) / (end - begin) if end > begin and after > before else None

    def words(self, now: float) -> str:
        """Say how far it is, or what it waits for."""
        if self.holder:
            return f"waits for {one_line(self.holder)}"
        if self.retry:
            left = self.retry_at - now
            again = f"again in {max(1, round(left))} s" if left > 0 else "again now"
            return f"{one_line(self.retry)}, {again}"
        return " · ".join(self._figures())

    def _figures(self) -> list[str]:
        if not self.done and not self.total:
            return []
        if not self.total:
            return [format_size(self.done)]
        figures = [f"{format_size(self.done)} of {format_size(self.total)}", f"{self.done * 100 // self.total} %"]
        if (speed := self.speed) is not None:
            figures += [f"{format_size(speed)}/s", f"{format_seconds(max(1, (self.total - self.done) / speed))} left"]
        return figures

    def moved(self, event: e.ModelProgress) -> Download:
        """Return it with more bytes; fewer, where some were wrong and are got again."""
        late = tuple(point for point in self.points if point[0] >= event.at - WINDOW and point[1] <= event.done)
        points = (*late, (event.at, event.done))
        return replace(self, done=event.done, total=event.total, points=points, holder="", retry="")


Downloads = Mapping[str, Download]
"""By the model's name, in the order in which they began."""


def downloads_after(downloads: Downloads, event: e.Event) -> Downloads:
    """Return the models under way after one more event."""
    if isinstance(event, e.ModelReady):
        return {name: download for name, download in downloads.items() if name != event.model}
    if not isinstance(event, e.ModelFetching | e.ModelProgress | e.ModelWaiting | e.ModelRetrying):
        return downloads
    known = downloads.get(event.model, Download(f"models.{event.model}", event.at))
    match event:
        case e.ModelFetching():
            known = Download(known.name, event.at)
        case e.ModelProgress():
            known = known.moved(event)
        case e.ModelWaiting():
            known = replace(known, holder=event.holder, retry="")
        case e.ModelRetrying():
            known = replace(known, retry=event.reason, retry_at=event.at + event.seconds, holder="")
    return {**downloads, event.model: known}


def download_row(download: Download, now: float) -> list[Span]:
    """Return the cells that a replica's row has, too: mark, name, state, seconds, no pid, what there is to say."""
    state = download.state
    return [
        states.mark(state, now),
        (download.name, ""),
        states.state(state),
        (f"{max(0.0, now - download.began):.1f} s", "dim"),
        ("", ""),
        (download.words(now), "yellow" if state == "retrying" else "dim" if state == "waiting" else ""),
    ]
