"""The real yaml-language-server completes, explains and underlines, from the schema that the repository holds."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envspec.spec.json_schema import SCHEMAS

VERSION = "1.25.0"
SETTINGS = {"yaml": {"completion": True, "hover": True, "validate": True, "schemaStore": {"enable": False}}}

pytestmark = pytest.mark.slow


class Editor:
    """A client of the language server, with one folder open."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.folder = folder
        self._sent = self._opened = 0
        self._published: dict[str, Any] = {}
        self._server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        capabilities = {
            "workspace": {"configuration": True},
            "textDocument": {"hover": {"contentFormat": ["markdown"]}},
        }
        self.ask("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": capabilities})
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": SETTINGS})

    def open(self, text: str) -> str:
        """Open a new file that uses the environment schema by its first line, as ours do; return its address."""
        self._opened += 1
        uri = (self.folder / "environments" / f"{self._opened}.yaml").as_uri()
        whole = f"# yaml-language-server: $schema=../schemas/environment.schema.json\n{text}"
        self._tell(
            "textDocument/didOpen",
            {"textDocument": {"uri": uri, "languageId": "yaml", "version": 1, "text": whole}},
        )
        return uri

    def problems(self, uri: str) -> list[Any]:
        """Return what is underlined."""
        while uri not in self._published:
            self._receive()
        found: list[Any] = self._published.pop(uri)["diagnostics"]
        return found

    def at(self, what: str, uri: str, line: int, character: int) -> Any:
        """Ask for `completion` or `hover` at a place; lines count from 0, the schema's being the first."""
        place = {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
        return self.ask(f"textDocument/{what}", place)

    def ask(self, method: str, params: Any) -> Any:
        """Send a request and return its result."""
        self._sent += 1
        number = self._sent
        self._write({"id": number, "method": method, "params": params})
        while (answer := self._receive()).get("id") != number or "method" in answer:
            pass
        return answer["result"]

    def close(self) -> None:
        """End the server."""
        self.ask("shutdown", None)
        self._tell("exit", None)
        self._server.communicate(timeout=30)

    def _tell(self, method: str, params: Any) -> None:
        self._write({"method": method, "params": params})

    def _write(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._server.stdin is not None
        self._server.stdin.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self._server.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._server.stdout is not None
        length = 0
        while (header := self._server.stdout.readline().strip()) or not length:
            assert header, "the language server is gone"
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
        message: dict[str, Any] = json.loads(self._server.stdout.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            self._published[message["params"]["uri"]] = message["params"]
        elif "id" in message and "method" in message:
            asked = message["method"] == "workspace/configuration"
            items = [SETTINGS.get(item.get("section"), {}) for item in message["params"]["items"]] if asked else None
            self._write({"id": message["id"], "result": items})
        return message


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    if shutil.which("npm") is None:
        pytest.skip("npm is not here, and the language server comes from it")
    folder = tmp_path_factory.mktemp("server")
    install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), f"yaml-language-server@{VERSION}"]
    done = subprocess.run(install, capture_output=True, text=True, timeout=100, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install the language server: {done.stderr.strip().splitlines()[-1:]}")
    return [str(folder / "node_modules" / ".bin" / "yaml-language-server"), "--stdio"]


@pytest.fixture(scope="module")
def editor(server: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("project")
    for name in ("environments", "schemas"):
        (folder / name).mkdir()
    for name, make in SCHEMAS.items():
        (folder / "schemas" / name).write_text(json.dumps(make()))
    opened = Editor(server, folder)
    yield opened
    opened.close()


def offered(editor: Editor, uri: str, line: int, character: int) -> dict[str, str]:
    """Return what is offered at a place, with its documentation."""
    items = editor.at("completion", uri, line, character)["items"]
    return {item["label"]: str(item.get("documentation", "")) for item in items}


def test_in_a_service_its_keys_are_offered_and_explained(editor: Editor) -> None:
    uri = editor.open("services:\n  worker:\n    de\n")
    assert "What must be there before it starts" in offered(editor, uri, 3, 6)["depends_on"]


def test_values_are_offered_where_there_are_only_a_few(editor: Editor) -> None:
    assert {"service", "task"} <= offered(editor, editor.open("services:\n  a:\n    kind: \n"), 3, 10).keys()


def test_use_offers_the_shipped_entries_and_with_their_inputs(editor: Editor) -> None:
    uri = editor.open("services:\n  bus:\n    use: \n")
    assert "nats" in offered(editor, uri, 3, 9)
    uri = editor.open("services:\n  bus:\n    use: nats\n    with:\n      \n")
    assert "jetstream" in offered(editor, uri, 5, 6)


def test_a_validator_is_offered_with_what_it_asks(editor: Editor) -> None:
    uri = editor.open("services:\n  web:\n    command: [x]\n    health:\n      - \n")
    known = offered(editor, uri, 5, 8)
    assert "An HTTP request is answered" in known["http"]


def test_hover_explains_a_key(editor: Editor) -> None:
    uri = editor.open("services:\n  web:\n    replicas: 2\n")
    hover = editor.at("hover", uri, 3, 6)
    assert "Copies to run." in json.dumps(hover["contents"])


def test_a_wrong_key_is_underlined(editor: Editor) -> None:
    uri = editor.open("services:\n  web:\n    command: [x]\n    depend_on: [y]\n")
    (problem,) = editor.problems(uri)
    assert "depend_on" in problem["message"]
    assert problem["range"]["start"] == {"line": 4, "character": 4}


def test_a_number_that_is_no_port_is_told_what_one_is(editor: Editor) -> None:
    (problem,) = editor.problems(editor.open("services:\n  web:\n    command: [x]\n    ports: {http: 70000}\n"))
    assert "a number from 1 to 65535" in problem["message"]


def test_wrong_values_are_underlined(editor: Editor) -> None:
    text = "services:\n  web:\n    command: [x]\n    replicas: two\n    health:\n      - http: {port: a, stats: 200}\n"
    places = [problem["range"]["start"] for problem in editor.problems(editor.open(text))]
    assert {"line": 4, "character": 14} in places
    assert {"line": 6, "character": 24} in places


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[2].glob("environments/*.yaml")), ids=lambda p: p.name)
def test_in_our_own_environments_nothing_is_underlined(editor: Editor, path: Path) -> None:
    assert editor.problems(editor.open(path.read_text())) == []
