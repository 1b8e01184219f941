"""environments/vllm/cpu-single.yaml without envspec: the script that one writes by hand, as fast as it can be.

The same command with the same variables, asked every 2 ms as the environment's validators ask: /health, the list of
models, a completion, a streamed chat. Prints `healthy` when that was answered, and stops when its standard input ends.

usage: hand_written_vllm.py MODEL_DIR WORK_DIR PORT
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hand_written_local import HOST, get, post, until


def main(model: str, work: str, number: str) -> None:
    port = int(number)
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--served-model-name", "chat"),
        *("--host", HOST, "--port", number, "--dtype", "float32", "--gpu-memory-utilization", "0.9"),
        *("--tensor-parallel-size", "1", "--max-model-len", "512", "--max-num-seqs", "4"),
        *("--num-gpu-blocks-override", "64", "--enforce-eager"),
    ]
    vllm = {
        "VLLM_HOST_IP": HOST,
        "VLLM_RPC_BASE_PATH": work,
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    with Path(work, "vllm.log").open("wb") as log:
        server = subprocess.Popen(command, env={**os.environ, **vllm}, stdout=log, stderr=log, cwd=work)
    short = {"model": "chat", "max_tokens": 4}
    until(lambda: get(port, "/health") is not None)
    until(lambda: b'"chat"' in (get(port, "/v1/models") or b""))
    until(lambda: post(port, "/v1/completions", {**short, "prompt": "Hello"}))
    chat = {**short, "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    until(lambda: b"[DONE]" in (post(port, "/v1/chat/completions", chat) or b""))
    print("healthy", flush=True)
    sys.stdin.read()
    server.terminate()
    server.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
