"""Whose processes we look after: our parent, watched by a descriptor, since a pid may come to mean another process."""

from __future__ import annotations

import os
import sys


def watch_owner(owner: int) -> int:
    """Return a descriptor that becomes readable when the owner dies; leave at once if it has."""
    try:
        descriptor = os.pidfd_open(owner)
    except ProcessLookupError:
        sys.exit(0)
    if os.getppid() != owner:  # the number was recycled between our start and now
        sys.exit(0)
    return descriptor
