"""What the live table shows beyond a session's status: models under way, replicas being stopped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from envspec.plan import events as e
from envspec.report.downloads import Downloads, downloads_after
from envspec.session.status import ReplicaStatus, SessionStatus


@dataclass(frozen=True)
class Progress:
    """A session's status, `downloads`: the models under way, `stopping`: replicas sent their signal."""

    status: SessionStatus
    downloads: Downloads = field(default_factory=dict)
    stopping: frozenset[str] = frozenset()

    def after(self, event: e.Event, status: SessionStatus) -> Progress:
        """Return the progress after one more event, which made the session look like `status`."""
        moved = replace(self, status=status, downloads=downloads_after(self.downloads, event))
        match event:
            case e.SessionStopping():
                return replace(moved, downloads={})
            case e.ReplicaStopping():
                return replace(moved, stopping=self.stopping | {event.replica})
            case e.ReplicaStopped():
                return replace(moved, stopping=self.stopping - {event.replica})
        return moved


def shown_state(replica: ReplicaStatus, stopping: frozenset[str] = frozenset()) -> str:
    """Return the state as people see it: `paused` and `stopping` stand before what they happen to."""
    if replica.paused:
        return "paused"
    return "stopping" if replica.name in stopping else replica.state
