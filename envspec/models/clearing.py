"""Clearing up what this process has half done, as it is about to end in the midst of it."""

from __future__ import annotations

import sys


def clear_away(patience: float) -> None:
    """Remove partial downloads and models half made. Downloads have `patience` seconds to end by themselves.

    Call it last: other threads go on until the process ends.
    """
    if "envspec.models.hub.transfer" in sys.modules:  # else nothing is downloaded
        from envspec.models.hub.progress import abandon_all
        from envspec.models.hub.transfer import OWN

        OWN.remove()  # first: on a busy machine we may be killed before the patience is over
        abandon_all(patience)
        OWN.remove()  # what was just being begun
    if "envspec.models.staging" in sys.modules:
        from envspec.models.staging import remove_staged

        remove_staged()
