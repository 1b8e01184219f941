"""What the live table shows beyond a session's status: models under way."""

from __future__ import annotations

from dataclasses import field, replace

from envspec.plan import events as e
from envspec.record import Record
from envspec.report.downloads import Downloads, downloads_after
from envspec.session.status import ReplicaStatus, SessionStatus


class Progress(Record):
    """A session's status, and `downloads`: the models under way."""

    status: SessionStatus
    downloads: Downloads = field(default_factory=dict)

    def after(self, event: e.Event, status: SessionStatus) -> Progress:
        """Return the progress after one more event, which made the session look like `status`."""
        moved = replace(self, status=status, downloads=downloads_after(self.downloads, event))
        return replace(moved, downloads={}) if isinstance(event, e.SessionStopping) else moved


def shown_state(replica: ReplicaStatus) -> str:
    """Return the state as people see it: `paused` and `stopping` stand before what they happen to."""
    if replica.paused:
        return "paused"
    return "stopping" if replica.stopping else replica.state
