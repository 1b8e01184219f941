"""What the live table shows beyond a session's status: models under way, replicas being stopped."""

from __future__ import annotations

from dataclasses import dataclass, replace

from envspec.plan import events as e
from envspec.session.status import ReplicaStatus, SessionStatus


@dataclass(frozen=True)
class Progress:
    """A session's status, `fetching`: the models being made or fetched, `stopping`: replicas sent their signal."""

    status: SessionStatus
    fetching: tuple[str, ...] = ()
    stopping: frozenset[str] = frozenset()

    def after(self, event: e.Event, status: SessionStatus) -> Progress:
        """Return the progress after one more event, which made the session look like `status`."""
        moved = replace(self, status=status)
        match event:
            case e.ModelFetching():
                return replace(moved, fetching=(*self.fetching, event.model))
            case e.ModelReady():
                return replace(moved, fetching=tuple(name for name in self.fetching if name != event.model))
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
