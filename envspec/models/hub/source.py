"""The source `repo`: what of it needs no network. The rest is imported with huggingface_hub when it is needed."""

from __future__ import annotations

from envspec.models.hub.options import Hub
from envspec.models.source import Found, Host, Tell


class HubSource:
    """Models of the Hugging Face Hub."""

    options = Hub

    def find(self, options: Hub, host: Host) -> Found:
        """Look into the cache."""
        from envspec.models.hub.cache import find

        return find(options, host)

    def resolve(self, options: Hub, host: Host, tell: Tell) -> Found:
        """Ask the hub which commit a branch is at, unless the revision is one."""
        from envspec.models.hub.resolve import resolve

        return resolve(options, host, tell)

    def fetch(self, options: Hub, found: Found, host: Host, tell: Tell) -> Found:
        """Download what is missing and verify it."""
        from envspec.models.hub.download import download

        return download(options, found, host, tell)
