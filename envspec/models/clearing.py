"""Clearing up what this process has half done, as it is about to end in the midst of it."""

from __future__ import annotations

import sys

from envspec.models.source import Host


def clear_away(host: Host, patience: float) -> None:
    """Remove partial downloads and models half made. Downloads have `patience` seconds to end by themselves.

    Call it last: other threads go on until the process ends.
    """
    if "envspec.models.hub.transfer" in sys.modules:  # else nothing is downloaded
        from envspec.models.hub.leftovers import remove_own
        from envspec.models.hub.progress import abandon_all

        abandon_all(patience)
        remove_own(host.hub_cache)
    if "envspec.models.staging" in sys.modules:
        from envspec.models.staging import remove_staged

        remove_staged()
