"""The source `synthetic`: made here, so that there is nothing to resolve."""

from __future__ import annotations

from pathlib import Path

from envspec.models.source import Found, Host, Progress, Tell
from envspec.models.synthetic.options import Synthetic


class SyntheticSource:
    """Tiny models with random weights."""

    options = Synthetic

    def find(self, options: Synthetic, host: Host) -> Found:
        """Look into envspec's cache, where the same options are the same directory."""
        from envspec.models.synthetic import cached_path, is_complete

        path = cached_path(options, host.own_cache)
        return Found(str(path), complete=is_complete(path))

    def resolve(self, options: Synthetic, host: Host, tell: Tell) -> Found:  # noqa: ARG002  the signature of a source
        """Do as `find`."""
        return self.find(options, host)

    def fetch(self, options: Synthetic, found: Found, host: Host, tell: Tell) -> Found:  # noqa: ARG002
        """Make the files, unless another process does."""
        from envspec.models.synthetic import make

        if make(options, Path(found.path), tell):
            size = sum(file.stat().st_size for file in Path(found.path).iterdir())
            tell(Progress(size, size))
        return Found(found.path, complete=True)
