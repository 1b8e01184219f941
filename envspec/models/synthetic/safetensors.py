"""The safetensors format, as far as one writer needs it: a length, a JSON header, and the tensors' bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path

FLOAT32_BYTES = 4
_LENGTH = struct.Struct("<Q")
_ALIGNMENT = 8  # the tensors begin at a multiple of it, so that they can be mapped

Shape = tuple[int, ...]


def write_safetensors(path: Path, shapes: Mapping[str, Shape], values: Callable[[str, Shape], bytes]) -> None:
    """Write tensors of 32-bit floats, in the order of `shapes`. `values(name, shape)` gives one's little-endian bytes.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("wb") as file:
        file.write(_header(shapes))
        for name, shape in shapes.items():
            file.write(values(name, shape))


def is_whole(path: Path) -> bool:
    """Tell whether a file is as long as its header says; one that is cut short, empty or absent is not."""
    try:
        with path.open("rb") as file:
            (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
            header = json.loads(file.read(length))
        ends = (tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__")
        return path.stat().st_size == _LENGTH.size + int(length) + int(max(ends))
    except (OSError, ValueError, struct.error):
        return False


def _header(shapes: Mapping[str, Shape]) -> bytes:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + prod(shape) * FLOAT32_BYTES
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return _LENGTH.pack(len(text)) + text
