"""Masks secrets in a piece of a log, also those that its edges go through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envspec.plan.redact import MASK

FRAGMENT = 4
"""Bytes at an edge that are taken for a part of a secret: fewer would be so by chance, and tell little."""


def longest(secrets: Sequence[str]) -> int:
    """Return how many bytes before a piece it takes to know every secret that reaches into it."""
    return max(map(len, map(_bytes, secrets)), default=0)


def masked(data: bytes, secrets: Sequence[str], *, begin: int = 0, torn: bool = False) -> bytes:
    """Return the data from `begin` on without secrets; what is before tells those that reach over it.

    `torn` says that something came before the data that nobody knows any more. Behind its end there may come more.
    """
    kept: list[bytes] = []
    at = begin
    for first, end in sorted(_places(data, [_bytes(secret) for secret in secrets], torn=torn)):
        if end > at:
            if first >= at or not kept:  # else the last one has its mask already
                kept += [data[at:first], MASK.encode()]
            at = end
    return b"".join([*kept, data[at:]])


def _places(data: bytes, secrets: Sequence[bytes], *, torn: bool) -> Iterator[tuple[int, int]]:
    for secret in secrets:
        at = data.find(secret)
        while at >= 0:
            yield at, at + len(secret)
            at = data.find(secret, at + 1)
        parts = range(len(secret) - 1, FRAGMENT - 1, -1)
        if torn and (rest := next((size for size in parts if data.startswith(secret[-size:])), 0)):
            yield 0, rest
        if begun := next((size for size in parts if data.endswith(secret[:size])), 0):
            yield len(data) - begun, len(data)


def _bytes(secret: str) -> bytes:
    return secret.encode(errors="surrogateescape")
