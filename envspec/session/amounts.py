"""What users of a live environment write for times, sizes and signals, read the same everywhere."""

from __future__ import annotations

import math
from signal import Signals

from envspec.errors import UsageError
from envspec.units import Duration, Traffic


def seconds(written: float | str, asker: str, *, endless: bool = False) -> float:
    """Return seconds, written as a number or with a unit; `asker` is who takes them, `latency()`.

    Raises:
        UsageError: it is neither, negative, or no end of it where that is not meant; says what to write.
    """
    __tracebackhide__ = True
    try:
        found = float(Duration.parse(written)) if isinstance(written, str) else _number(written)
    except ValueError as error:
        raise UsageError(f"{asker}: {error}") from None
    if 0 <= found < math.inf or (endless and found == math.inf):
        return found
    raise UsageError(f"{asker} takes seconds, or a text such as '200ms', not {written!r}")


def size(written: float | str, asker: str) -> float:
    """Return bytes, written as a number or with a unit; `asker` is who takes them, `throttle()`.

    Raises:
        UsageError: it is neither, negative, or no end of them; says what to write.
    """
    __tracebackhide__ = True
    try:
        found = int(Traffic.parse(written)) if isinstance(written, str) else _number(written)
    except ValueError as error:
        raise UsageError(f"{asker}: {error}") from None
    if 0 <= found < math.inf:
        return found
    raise UsageError(f"{asker} takes bytes, or a text such as '64KB', not {written!r}")


def signal_name(written: str | int) -> str:
    """Return a signal by its name without SIG: of a number, or of a name as people write it, such as `sigterm`.

    Raises:
        UsageError: there is no such signal.
    """
    __tracebackhide__ = True
    name = str(written).upper().removeprefix("SIG")
    try:
        signal = Signals(int(name)) if name.isdecimal() else Signals[f"SIG{name}"]
    except (KeyError, ValueError):
        raise UsageError(f"there is no signal {written!r}", hint="kill -l lists them") from None
    return signal.name.removeprefix("SIG")


def _number(written: object) -> float:
    """Return a number as it is, and NaN for what is none."""
    return written if isinstance(written, int | float) and not isinstance(written, bool) else math.nan
