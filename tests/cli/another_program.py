"""What other programs do with the cache that all share."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

PROGRAM = """
import sys
from huggingface_hub import snapshot_download
snapshot_download(sys.argv[1], allow_patterns=sys.argv[2:] or None)
"""


def download(envspec: Any, repo: str, *names: str) -> None:
    """Download a repository, or some of its files, into the cache of a project's commands."""
    subprocess.run([sys.executable, "-c", PROGRAM, repo, *names], env=envspec.environ, check=True, capture_output=True)
