"""environments/local.yaml without envspec: the script that one writes by hand, as fast as such a script can be.

The same commands with the same variables, started at the same points: etcd and NATS at once, both workers and the
frontend as soon as etcd and NATS are healthy. Everything is asked every 2 ms. Prints `spawned` at the first process,
`healthy` when a streamed chat was answered, and stops when its standard input ends. Only the standard library, no
checks, no error messages, no clean-up beyond the processes it started.

usage: hand_written_local.py MODEL_DIR WORK_DIR PORT…   (eight ports: etcd 2, NATS 2, workers 2, frontend 1, spare 1)
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HOST = "127.0.0.1"


def get(port: int, path: str) -> bytes | None:
    """Return the body of a 200, else None."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    except OSError:
        return None
    else:
        return body if answer.status == 200 else None
    finally:
        connection.close()


def post(port: int, path: str, question: object) -> bytes | None:
    """Return the whole body of a 200, streamed or not, else None."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request("POST", path, json.dumps(question), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
    except OSError:
        return None
    else:
        return body if answer.status == 200 else None
    finally:
        connection.close()


def until(check: object) -> None:
    while not check():  # type: ignore[operator]
        time.sleep(0.002)


def generates(port: int) -> bool:
    body = get(port, "/health")
    return body is not None and sum(i["endpoint"] == "generate" for i in json.loads(body)["instances"]) >= 2


def lists(port: int) -> bool:
    body = get(port, "/v1/models")
    return body is not None and bool(json.loads(body)["data"])


def chats(port: int) -> bool:
    request = {
        "model": "chat",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 4,
        "stream": True,
    }
    return b"[DONE]" in (post(port, "/v1/chat/completions", request) or b"")


def main(model: str, work: str, *numbers: str) -> None:
    client, peer, nats, monitor, system0, system1, http, _ = map(int, numbers)
    running = []

    def start(argv: list[str], **env: str) -> None:
        with Path(work, f"{len(running)}.log").open("wb") as log:
            process = subprocess.Popen(argv, env={**os.environ, **env}, stdout=log, stderr=log, cwd=work)
        if not running:
            print("spawned", flush=True)
        running.append(process)

    start(
        [
            *("etcd", "--name", "etcd", "--data-dir", f"{work}/etcd"),
            *("--listen-client-urls", f"http://{HOST}:{client}", "--advertise-client-urls", f"http://{HOST}:{client}"),
            *("--listen-peer-urls", f"http://{HOST}:{peer}", "--initial-advertise-peer-urls", f"http://{HOST}:{peer}"),
            *("--initial-cluster", f"etcd=http://{HOST}:{peer}", "--initial-cluster-token", "hand"),
            *("--heartbeat-interval", "10", "--election-timeout", "50", "--log-level", "warn", "--unsafe-no-fsync"),
        ]
    )
    start(
        [
            *("nats-server", "--name", "nats", "--addr", HOST, "--port", str(nats), "--http_port", str(monitor)),
            *("--jetstream", "--store_dir", f"{work}/jetstream"),
        ]
    )
    until(lambda: b'"true"' in (get(client, "/health") or b""))
    until(lambda: get(monitor, "/healthz"))
    dynamo = {
        "DYN_NAMESPACE": "hand",
        "DYN_DISCOVERY_BACKEND": "etcd",
        "ETCD_ENDPOINTS": f"http://{HOST}:{client}",
        "ETCD_LEASE_TTL": "2",
        "NATS_SERVER": f"nats://{HOST}:{nats}",
        "DYN_REQUEST_PLANE": "nats",
        "DYN_EVENT_PLANE": "nats",
        "DYN_TCP_RPC_HOST": HOST,
        "DYN_TCP_RESPONSE_STREAM_HOST": "lo",
        "DYN_EVENT_PLANE_HOST": HOST,
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    for port in (system0, system1):
        start(
            [
                *(sys.executable, "-m", "dynamo.mocker", "--model-path", model, "--model-name", "chat"),
                *("--speedup-ratio", "0.0", "--block-size", "16", "--num-gpu-blocks-override", "1024"),
                *("--max-model-len", "2048"),
            ],
            **dynamo,
            DYN_SYSTEM_HOST=HOST,
            DYN_SYSTEM_PORT=str(port),
            DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS='["generate"]',
        )
    start(
        [
            *(sys.executable, "-m", "dynamo.frontend", "--http-host", HOST, "--http-port", str(http)),
            *("--router-mode", "kv", "--kv-cache-block-size", "16", "--migration-limit", "0", "--namespace", "hand"),
        ],
        **dynamo,
    )
    until(lambda: get(system0, "/health"))
    until(lambda: get(system1, "/health"))
    until(lambda: generates(http))
    until(lambda: lists(http))
    until(lambda: chats(http))
    print("healthy", flush=True)
    sys.stdin.read()
    for process in reversed(running):
        process.terminate()
    for process in running:
        process.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
