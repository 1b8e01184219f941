"""Mistakes in the variables that choose hub and token, told before anything is asked.

Of a wrong number huggingface_hub does not survive its import, and of a wrong token its HTTP client shows the value.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from envspec.errors import UsageError
from envspec.models.hub.options import Hub
from envspec.models.places import hub_home
from envspec.models.source import Host

PUBLIC = "https://huggingface.co"
NUMBERS = ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT")
"""What huggingface_hub.constants reads as whole numbers."""
_TOKEN = re.compile(r"[!-~]+")  # what a header can bear: visible ASCII, without blanks


def check_settings(options: Hub, host: Host) -> None:
    """See that the hub can be asked for a model.

    Raises:
        UsageError: a variable is wrong; says which, and never what a token is.
    """
    for variable in NUMBERS:
        _check_number(variable, os.environ.get(variable))  # that of this process: it is what huggingface_hub reads
    _check_endpoint(host.environ.get("HF_ENDPOINT") or PUBLIC)
    _check_token(options, host)


def endpoint_of(host: Host) -> str:
    """Return the hub's address: HF_ENDPOINT, or the public one."""
    return (host.environ.get("HF_ENDPOINT") or PUBLIC).rstrip("/")


def token_in(options: Hub, host: Host) -> str:
    """Return the token that `token_env` holds, empty where it holds none."""
    return host.environ.get(options.token_env, "").strip()


def _check_number(variable: str, value: str | None) -> None:
    with suppress(ValueError):
        if value is None or int(value) >= 0:
            return
    raise UsageError(
        f"{variable} is {value!r}, and must be a whole number of seconds", hint=f"unset {variable}, or correct it"
    )


def _check_endpoint(endpoint: str) -> None:
    with suppress(ValueError):  # brackets or a port that are none
        parts = urlsplit(endpoint)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not re.search(r"\s", endpoint):
            return
    shown = "what HF_ENDPOINT holds" if "@" in endpoint else f"HF_ENDPOINT is {endpoint!r}, which"  # a password
    raise UsageError(f"{shown} is no address of a hub", hint=f"write it as {PUBLIC}, or unset it")


def _check_token(options: Hub, host: Host) -> None:
    where, token = options.token_env, token_in(options, host)
    if not token and options.token_env == "HF_TOKEN":  # noqa: S105  a name
        path = Path(host.environ.get("HF_TOKEN_PATH") or hub_home(host.environ) / "token")
        with suppress(OSError):
            where, token = str(path), path.read_text("utf-8", errors="replace").strip()
    if token and not _TOKEN.fullmatch(token):
        raise UsageError(
            f"the token in {where} has a character that no token has",
            hint="a blank, a line break or a letter beyond ASCII, as comes of copying: set it anew",
        )
