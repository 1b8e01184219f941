"""A machine with a cache, and the hub that it is pointed to."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from envspec.models.hub.options import Hub as Options
from envspec.models.hub.source import HubSource
from envspec.models.source import Found, Host, Notice, Retrying
from tests.models.hub_models import digest_of, write_model
from tests.models.hub_server import Hub

REPO = "org/tiny"
FETCH = """
import json, os, sys
from envspec.errors import ModelUnavailableError
from envspec.models.hub.options import Hub
from envspec.models.hub.source import HubSource
from envspec.models.source import Host
source, options, host = HubSource(), Hub(**json.loads(sys.argv[1])), Host.of(os.environ)
def tell(notice):
    print(notice, flush=True)
try:
    found = source.fetch(options, source.resolve(options, host, tell), host, tell)
except ModelUnavailableError as error:
    sys.exit(f"{error} | {error.hint}")
print(found.path, flush=True)
"""


@dataclass
class Machine:
    """Everything of it lies under `folder`; `notices` is what was told so far."""

    hub: Hub
    url: str
    folder: Path
    notices: list[Notice] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)

    source = HubSource()

    @property
    def environ(self) -> dict[str, str]:
        own = {"HF_HOME": str(self.folder / "hf"), "ENVSPEC_CACHE_DIR": str(self.folder / "own")}
        return {"HF_ENDPOINT": self.url, **own, **self.extra}

    @property
    def host(self) -> Host:
        return Host.of(self.environ)

    @property
    def repo(self) -> Path:
        """The repository's directory in the cache."""
        return self.host.hub_cache / f"models--{REPO.replace('/', '--')}"

    @property
    def reasons(self) -> list[str]:
        return [notice.reason for notice in self.notices if isinstance(notice, Retrying)]

    def publish(self, megabytes: float = 0.3, *, parts: int = 1) -> Path:
        """Put a model on the hub."""
        return write_model(self.hub.root, REPO, megabytes, parts=parts)

    def find(self, **options: object) -> Found:
        return self.source.find(self.options(options), self.host)

    def resolve(self, **options: object) -> Found:
        return self.source.resolve(self.options(options), self.host, self.notices.append)

    def fetch(self, **options: object) -> Found:
        """Resolve and fetch."""
        found = self.resolve(**options)
        return self.source.fetch(self.options(options), found, self.host, self.notices.append)

    def start_fetch(self, **options: object) -> subprocess.Popen[str]:
        """Fetch in another process, which prints what it is told and then the path."""
        argv = [sys.executable, "-c", FETCH, json.dumps({"repo": REPO, **options})]
        environ = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            **self.environ,
        }
        return subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def has_exactly(self, path: str) -> bool:
        """Tell whether a directory holds what the hub has, byte for byte."""
        return digest_of(Path(path)) == digest_of(self.hub.root / REPO)

    @staticmethod
    def options(given: dict[str, object]) -> Options:
        return Options(**{"repo": REPO, **given})  # type: ignore[arg-type]
