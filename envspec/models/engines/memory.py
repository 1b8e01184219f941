"""How much memory there is, how much is taken, and how to give back what nobody refers to any more."""

from __future__ import annotations

import ctypes
import gc
import sys
from pathlib import Path
from types import ModuleType

from envspec.models.inventory import WEIGHTS

EVERYBODYS_SIGNS = ("out of memory", "can't allocate memory", "Cannot allocate memory")
"""CUDA's allocator, torch's on the CPU, and the C library's text for ENOMEM."""


def weights_size(path: Path) -> int:
    """Return the bytes of a model's weights: of one format, where a directory holds the same in several."""
    if path.is_file():
        return path.stat().st_size
    for suffix in WEIGHTS:
        if sizes := [file.stat().st_size for file in path.glob(f"*{suffix}")]:
            return sum(sizes)
    return 0


def free_ram() -> int:
    """Return the bytes that this process can still have without swapping: the machine's, or its cgroup's if less."""
    import psutil

    return min(psutil.virtual_memory().available, _container_room(Path("/sys/fs/cgroup")))


def total_ram() -> int:
    """Return the size of this machine's memory."""
    import psutil

    return int(psutil.virtual_memory().total)


def _container_room(directory: Path) -> int:
    """Return what a container's memory limit leaves (cgroup 2, seen from within); beyond all bounds if it has none."""
    try:
        limit = int((directory / "memory.max").read_text())
        stat = dict(line.split() for line in (directory / "memory.stat").read_text().splitlines())
        return limit - int((directory / "memory.current").read_text()) + int(stat.get("inactive_file", 0))
    except (OSError, ValueError):  # no such file; "max", which is no limit
        return sys.maxsize


def used_ram() -> int:
    """Return the resident bytes of this process."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def _cuda() -> ModuleType | None:
    """Return torch.cuda where somebody has imported torch; nobody is made to."""
    torch = sys.modules.get("torch")
    return getattr(torch, "cuda", None)


def gpu_count() -> int:
    """Return how many GPUs this process sees, without a CUDA context, which would forbid vLLM to fork."""
    cuda = _cuda()
    return int(cuda.device_count()) if cuda else 0


def free_gpu() -> int:
    """Return the free bytes of the first GPU. Makes a CUDA context in this process if there is none."""
    cuda = _cuda()
    return int(cuda.mem_get_info()[0]) if cuda and gpu_count() else 0


def gpu_total() -> int:
    """Return the size of the first GPU's memory."""
    cuda = _cuda()
    return int(cuda.get_device_properties(0).total_memory) if cuda and gpu_count() else 0


def used_gpu() -> int:
    """Return the bytes that torch has taken of all GPUs for this process; what others do does not show."""
    cuda = _cuda()
    if cuda is None or not cuda.is_initialized():
        return 0
    return sum(int(cuda.memory_reserved(index)) for index in range(cuda.device_count()))


def give_back() -> None:
    """Collect what refers to itself in circles, and hand freed memory to the driver and to the kernel."""
    gc.collect()
    cuda = _cuda()
    if cuda is not None and cuda.is_initialized():
        cuda.empty_cache()
        cuda.ipc_collect()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def is_exhaustion(error: BaseException, signs: tuple[str, ...]) -> bool:
    """Tell whether an error, or one that it came from, says that memory ran out."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or type(cause).__name__ == "OutOfMemoryError":
            return True
        if any(sign in str(cause) for sign in (*EVERYBODYS_SIGNS, *signs)):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
