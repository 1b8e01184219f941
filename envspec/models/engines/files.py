"""A model's files, once per run: through the sources, in this process, whoever asks and from how many threads."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from envspec.errors import EnvspecError
from envspec.models import SOURCES
from envspec.models.engines.reference import Reference
from envspec.models.source import Host, Notice

Tell = Callable[[str, Notice], None]
"""Hears of a model, by the name that the caller gave it, what happens while it is fetched."""


class Files:
    """Remembers where files are. A model that could not be had is tried again when it is asked for again."""

    def __init__(self, environ: Mapping[str, str], tell: Tell | None) -> None:
        self._host = Host.of(environ)
        self._tell = tell
        self._paths: dict[str, Path] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()

    def known(self, wanted: Reference) -> Path | None:
        """Return where the files are, if all of them are on this machine; asks nobody."""
        if wanted.key in self._paths:
            return self._paths[wanted.key]
        found = SOURCES[wanted.source].find(wanted.options, self._host)
        return Path(found.path) if found.complete else None

    def fetched(self, wanted: Reference) -> Path:
        """Return where the files are, having fetched what was missing.

        Raises:
            ModelUnavailableError: they cannot be had.
        """
        __tracebackhide__ = True
        with self._guard:
            lock = self._locks[wanted.key]
        with lock:  # two threads that want the same model make one download
            if wanted.key not in self._paths:
                self._paths[wanted.key] = self.known(wanted) or self._fetch(wanted)
            return self._paths[wanted.key]

    def _fetch(self, wanted: Reference) -> Path:
        __tracebackhide__ = True

        def tell(notice: Notice) -> None:
            if self._tell is not None:
                self._tell(wanted.name, notice)

        source = SOURCES[wanted.source]
        try:
            found = source.resolve(wanted.options, self._host, tell)
            if not found.complete:
                found = source.fetch(wanted.options, found, self._host, tell)
        except EnvspecError as error:
            # It says all; the way there is hundreds of lines of a client's source in the report of a test.
            raise error.with_traceback(None) from None
        return Path(found.path)
