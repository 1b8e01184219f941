"""Models on their way to the disk: bytes of total, speed, time left, and what holds them up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from envspec.plan import events as e
from envspec.record import Record
from envspec.report import states
from envspec.report.text import Span, one_line
from envspec.units import format_seconds, format_size

WINDOW = 5.0
"""Seconds that the speed is the mean of: long enough to stand still, short enough to be true."""

MOVING = 1.0
"""Seconds since the last bytes within which more are on their way; news of them come twice a second."""

SEPARATOR = " · "


class Download(Record):
    """A model that is not ready yet, as its last events have it.

    `points` are (at, bytes that came) of the last seconds: what was here before has no speed. `holder` names who gets
    it for us meanwhile. `retry` is why the next attempt is made, at `retry_at`; without that time it
    says all.
    """

    name: str
    began: float
    done: int = 0
    total: int | None = None
    points: tuple[tuple[float, int], ...] = ()
    holder: str = ""
    retry: str = ""
    retry_at: float = 0.0

    def state(self, now: float) -> str:
        """Return the state's name: of a model, only what is under way is shown."""
        return "waiting" if self.holder else "retrying" if self.retry and not self._moves(now) else "fetching"

    def speed(self, now: float) -> float | None:
        """Return bytes a second of late, None while that cannot be told."""
        if len(self.points) < 2 or self.points[-1][0] < now - WINDOW:
            return None
        (begin, before), (end, after) = self.points[0], self.points[-1]
        return (after - before) / (end - begin) if end > begin and after > before else None

    def words(self, now: float) -> str:
        """Say how far it is, or what it waits for."""
        return SEPARATOR.join(self.parts(now))

    def parts(self, now: float) -> list[str]:
        """Return what `words` says in the parts of which the last are left out where there is no room."""
        match self.state(now):
            case "waiting":
                return [f"waits for {one_line(self.holder)}"]
            case "retrying":
                if not self.retry_at:
                    return [one_line(self.retry)]
                left = self.retry_at - now
                return [f"{f'again in {max(1, left):.0f} s' if left > 0 else 'again now'}: {one_line(self.retry)}"]
        if not self.total:
            return [format_size(self.done)] if self.done else []
        return [f"{format_size(self.done)} of {format_size(self.total)}", *self.pace(now)]

    def pace(self, now: float) -> list[str]:
        """Return how long it still takes and how fast it comes, nothing while that cannot be told."""
        if not self.total or (speed := self.speed(now)) is None:
            return []
        return [f"{_about(max(1, (self.total - self.done) / speed))} left", f"{format_size(speed)}/s"]

    def _moves(self, now: float) -> bool:
        """Whether bytes come: of another file, where one has to be tried again."""
        return bool(self.points) and self.points[-1][0] > now - MOVING

    def moved(self, event: e.ModelProgress) -> Download:
        """Return it with more bytes; fewer, where some were wrong and are got again."""
        came = event.done - event.kept
        late = tuple(point for point in self.points if point[0] >= event.at - WINDOW and point[1] <= came)
        points = (*(late if came else ()), (event.at, came))
        retry = self.retry if event.at < self.retry_at else ""
        return replace(self, done=event.done, total=event.total, points=points, holder="", retry=retry)


def _about(seconds: float) -> str:
    """Write a time that nobody knows exactly."""
    return f"{seconds:.0f} s" if seconds < 59.5 else format_seconds(seconds)


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
            at = event.at + event.seconds if event.seconds else 0.0
            known = replace(known, retry=event.reason, retry_at=at, holder="")
    return {**downloads, event.model: known}


def download_row(download: Download, now: float) -> list[Span]:
    """Return the cells that a replica's row has, too: mark, name, state, seconds, no pid."""
    state = download.state(now)
    return [
        states.mark(state, now),
        (download.name, ""),
        states.state(state),
        (f"{max(0.0, now - download.began):.1f} s", "dim"),
        ("", ""),
    ]


def download_words(download: Download, now: float) -> list[Span]:
    """Return what there is to say of it, first in full, then in ever fewer parts."""
    parts, state = download.parts(now), download.state(now)
    style = "yellow" if state == "retrying" else "dim" if state == "waiting" else ""
    return [(SEPARATOR.join(parts[:count]), style) for count in range(len(parts), 0, -1)]
