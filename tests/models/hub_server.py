"""A hub of the tests' own: real HTTP, the endpoints, headers and status codes that huggingface_hub needs, and faults.

Files lie at ROOT/org/name/…; what a directory holds when it is first asked for is a commit, what it holds later is the
next one, and `main` is the last. As a program: `python tests/models/hub_server.py ROOT [PORT]` prints its address and
one JSON line for each request.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".bin", ".gguf", ".pt", ".onnx")  # kept in LFS, and so with a SHA-256
KEPT = 2**20  # bytes of a file that a commit remembers, so that it can still be served when the file has changed


@dataclass(frozen=True)
class Request:
    """One request and what became of it; `sent` counts the bytes of the body."""

    method: str
    path: str
    range: str
    status: int
    sent: int
    has_token: bool = False


@dataclass
class Fault:
    """Something that goes wrong with the next `times` requests that `on` accepts; `on` sees method and path.

    `cut` closes the connection after so many bytes of the body, `stall` sends nothing after them, `flip` changes the
    byte there. `status` is answered instead of the file.
    """

    on: Callable[[str, str], bool]
    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = -1
    stall: int = -1
    flip: int = -1


@dataclass(frozen=True)
class Entry:
    """A file of a commit."""

    source: Path
    size: int
    sha256: str
    git_sha1: str
    kept: bytes | None

    @cached_property
    def etag(self) -> str:
        return self.sha256 or self.git_sha1


class Hub:
    """The server's state, which tests change while it runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._requests: list[Request] = []
        self._busy = 0
        self._idle = threading.Condition()
        self.faults: list[Fault] = []
        self.gated: set[str] = set()
        self.token = ""  # that every request must bear
        self.ranges = True  # whether it can begin in the middle of a file
        self.content_network = False  # whether large files are elsewhere, as with the public hub
        self.listed_sizes: dict[str, int] = {}  # what the hub says of a file, by its path, though it is not so
        self.before: Callable[[str], None] = lambda _path: None  # called with the path of each request
        self.stopping = threading.Event()
        self._commits: dict[str, dict[str, dict[str, Entry]]] = {}
        self._entries: dict[tuple[Path, int, int], Entry] = {}
        self._lock = threading.Lock()

    def fail(
        self, status: int, *, times: int = 1, on: str = "/resolve/", headers: dict[str, str] | None = None
    ) -> None:
        """Answer the next requests whose path contains `on` with a status."""
        self.faults.append(Fault(lambda _, path: on in path, times, status, headers or {}))

    def spoil(self, on: str, *, times: int = 1, **what: int) -> None:
        """Cut, stall or flip the body of the next GETs whose path ends with `on`."""
        fault = Fault(lambda method, path: method == "GET" and path.endswith(on), times)
        for name, offset in what.items():
            setattr(fault, name, offset)
        self.faults.append(fault)

    def next_fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.times > 0 and fault.on(method, path):
                    fault.times -= 1
                    return fault
        return None

    @property
    def requests(self) -> list[Request]:
        """What was asked so far. A client may have its answer before that is written down, so wait until all is."""
        with self._idle:
            self._idle.wait_for(lambda: not self._busy, timeout=30)
        return self._requests

    def log(self, request: Request) -> None:
        self._requests.append(request)

    def began(self) -> None:
        with self._idle:
            self._busy += 1

    def ended(self, request: Request) -> None:
        with self._idle:
            self.log(request)
            self._busy -= 1
            self._idle.notify_all()

    def bytes_of_files(self) -> int:
        """Return how many bytes of files were sent."""
        return sum(
            request.sent
            for request in self.requests
            if request.path.startswith("/content/") or "/resolve/" in request.path
        )

    def gets(self, name: str = "") -> list[Request]:
        """Return the GETs of files whose path ends with `name`."""
        return [r for r in self.requests if r.method == "GET" and "/resolve/" in r.path and r.path.endswith(name)]

    def commit(self, repo: str, revision: str = "main") -> str:
        """Return the commit that a revision is at, empty if there is none."""
        with self._lock:
            commits = self._commits.setdefault(repo, {})
            if revision == "main":
                files = self._scan(self.root / repo)
                listing = json.dumps([(path, entry.size, entry.etag) for path, entry in files.items()])
                revision = hashlib.sha1(listing.encode()).hexdigest()
                commits.setdefault(revision, files)
            return revision if revision in commits else ""

    def files(self, repo: str, commit: str) -> dict[str, Entry]:
        return self._commits[repo][commit]

    def _scan(self, folder: Path) -> dict[str, Entry]:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): self._entry(path) for path in paths}

    def _entry(self, path: Path) -> Entry:
        status = path.stat()
        key = (path, status.st_size, status.st_mtime_ns)
        if key not in self._entries:
            git, sha = hashlib.sha1(f"blob {status.st_size}\0".encode()), hashlib.sha256()
            with path.open("rb") as file:
                while block := file.read(2**22):
                    git.update(block)
                    sha.update(block)
            large = path.suffix in LARGE
            kept = path.read_bytes() if status.st_size <= KEPT else None
            self._entries[key] = Entry(path, status.st_size, sha.hexdigest() * large, git.hexdigest(), kept)
        return self._entries[key]


class Refused(Exception):  # noqa: N818  an answer, no error
    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._status, self._sent = 0, 0
        path = unquote(urlsplit(self.path).path)
        hub, has_token = self.server.hub, "Authorization" in self.headers
        hub.before(path)
        hub.began()
        try:
            fault = hub.next_fault(self.command, path)
            if fault and fault.status:
                self._send(fault.status, b"trouble", fault.headers)
                return
            if path.startswith("/content/"):
                self._content(path, fault=fault)
                return
            self._check_token()
            if found := re.fullmatch(r"/api/models/([^/]+(?:/[^/]+)??)(?:/(revision|tree)/(.+))?", path):
                self._api(*found.groups())
            elif found := re.fullmatch(r"/([^/]+(?:/[^/]+)??)/resolve/([^/]+)/(.+)", path):
                self._file(*found.groups(), fault=fault)
            else:
                self._send(404, b"", {})
        except Refused as refused:
            self._send(refused.status, b"", {"X-Error-Code": refused.code, "X-Error-Message": refused.message})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            hub.ended(Request(self.command, path, self.headers.get("Range", ""), self._status, self._sent, has_token))

    do_HEAD = do_GET  # noqa: N815  as http.server calls it

    def _check_token(self) -> None:
        token = self.server.hub.token
        sent = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and not sent:
            raise Refused(401, "RepoNotFound", "Invalid username or password.")
        if token and sent != token:
            raise Refused(401, "", "Invalid credentials in Authorization header")

    def _commit(self, repo: str, revision: str) -> str:
        hub = self.server.hub
        if not (hub.root / repo).is_dir():
            raise Refused(404, "RepoNotFound", "Repository not found")
        if commit := hub.commit(repo, revision):
            return commit
        raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")

    def _api(self, repo: str, what: str | None, revision: str | None) -> None:
        hub = self.server.hub
        commit = self._commit(repo, revision or "main")
        files = hub.files(repo, commit)
        if what == "tree":
            self._json([self._listed(path, entry) for path, entry in files.items()])
            return
        flags: dict[str, Any] = {"private": False, "gated": repo in hub.gated, "disabled": False, "tags": []}
        dates = dict.fromkeys(("lastModified", "createdAt"), "2025-01-01T00:00:00.000Z")
        self._json(
            {
                "id": repo,
                "modelId": repo,
                "sha": commit,
                **flags,
                **dates,
                "siblings": [{"rfilename": p} for p in files],
            }
        )

    def _listed(self, path: str, entry: Entry) -> dict[str, Any]:
        size = self.server.hub.listed_sizes.get(path, entry.size)
        listed: dict[str, Any] = {"type": "file", "path": path, "size": size, "oid": entry.git_sha1}
        if entry.sha256:
            listed["lfs"] = {"oid": entry.sha256, "size": size, "pointerSize": 134}
        return listed

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self._start(status, {**headers, "Content-Length": str(len(body))})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _start(self, status: int, headers: dict[str, str]) -> None:
        self._status = status
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def _file(self, repo: str, revision: str, name: str, *, fault: Fault | None) -> None:
        if repo in self.server.hub.gated:
            raise Refused(403, "GatedRepo", f"Access to model {repo} is restricted")
        commit = self._commit(repo, revision)
        entry = self.server.hub.files(repo, commit).get(name)
        if entry is None:
            raise Refused(404, "EntryNotFound", "Entry not found")
        if self.server.hub.content_network and entry.sha256:
            linked = {"X-Linked-ETag": f'"{entry.etag}"', "X-Linked-Size": str(entry.size), "X-Repo-Commit": commit}
            elsewhere = f"{self.server.url.replace('127.0.0.1', 'localhost')}/content/{repo}/{commit}/{name}"
            self._send(302, b"", {**linked, "Location": elsewhere})
            return
        self._deliver(entry, {"X-Repo-Commit": commit}, fault)

    def _content(self, path: str, *, fault: Fault | None) -> None:
        _, _, org, name, commit, file = path.split("/", 5)
        self._deliver(self.server.hub.files(f"{org}/{name}", commit)[file], {}, fault)

    def _deliver(self, entry: Entry, headers: dict[str, str], fault: Fault | None) -> None:
        begin, end = self._range(entry.size)
        headers |= {"ETag": f'"{entry.etag}"', "Accept-Ranges": "bytes"}
        if begin >= entry.size > 0:
            self._send(416, b"", {**headers, "Content-Range": f"bytes */{entry.size}"})
            return
        partial = bool(self._asked_range())
        ranged = {"Content-Range": f"bytes {begin}-{end - 1}/{entry.size}"} if partial else {}
        self._start(206 if partial else 200, {**headers, **ranged, "Content-Length": str(end - begin)})
        if self.command != "HEAD":
            self._body(entry, begin, end, fault or Fault(lambda *_: True))

    def _asked_range(self) -> str:
        return self.headers.get("Range", "") if self.server.hub.ranges else ""

    def _range(self, size: int) -> tuple[int, int]:
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self._asked_range())
        if not found:
            return 0, size
        return int(found[1]), min(size, int(found[2]) + 1) if found[2] else size

    def _body(self, entry: Entry, begin: int, end: int, fault: Fault) -> None:
        stop = min([end, *(begin + after for after in (fault.cut, fault.stall) if after >= 0)])
        if fault.flip >= 0 or entry.kept is not None:
            content = bytearray(entry.kept if entry.kept is not None else entry.source.read_bytes())
            if fault.flip >= 0:
                content[fault.flip % len(content)] ^= 0xFF
            self._pieces(memoryview(content)[begin:stop])
        else:
            with entry.source.open("rb") as file:
                self._sent += self.connection.sendfile(file, begin, stop - begin) if stop > begin else 0
        if fault.stall >= 0:
            self._wait_for_the_client()
        if stop < end:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def _pieces(self, content: memoryview) -> None:
        for at in range(0, len(content), 2**20):
            piece = content[at : at + 2**20]
            self.wfile.write(piece)
            self._sent += len(piece)

    def _wait_for_the_client(self) -> None:
        """Send nothing, until the client has had enough of it."""
        self.connection.settimeout(0.05)
        while not self.server.hub.stopping.is_set():
            with suppress(TimeoutError):
                if not self.connection.recv(1):
                    return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, hub: Hub, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.hub = hub
        self._connections: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that is gone is none of ours
            super().handle_error(request, client_address)

    def stop(self) -> None:
        self.hub.stopping.set()
        self.shutdown()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


@contextmanager
def serving(hub: Hub, port: int = 0) -> Iterator[Server]:
    """Serve in a thread."""
    server = Server(hub, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def main(root: str, port: str = "0") -> None:
    """Serve until the end of stdin."""
    hub = Hub(Path(root))
    hub.log = lambda request: print(json.dumps(asdict(request)), flush=True)  # type: ignore[method-assign]
    with serving(hub, int(port)) as server:
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
