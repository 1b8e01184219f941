"""`envspec init`: a first environment that works as it stands, to be changed into one's own."""

from __future__ import annotations

import os
from pathlib import Path

import click

from envspec.cli import terminal
from envspec.cli.schema import FOLDER
from envspec.errors import UsageError
from envspec.report.text import BLANK, line
from envspec.spec.find import DEFAULT, file_for_first

SCHEMA = "<SCHEMA>"
ENVIRONMENT = "environment.schema.json"

TEMPLATE = """\
# What a test needs: which services run, on which ports, and what "healthy" means.
#
#   envspec up                start all of this, show where it is; Ctrl-C stops it
#   envspec check             find mistakes in here without starting anything
#   envspec run local -- CMD  run a command while it is up
#   pytest --env=local        run tests with it
#
# `envspec schema` writes what an editor needs for completion and hover:
# yaml-language-server: $schema=<SCHEMA>
version: 1
description: Two file servers; the second starts when the first is healthy.

vars:
  greeting: hello         # another one: envspec up --set greeting=hi

services:
  backend:
    # Double braces are filled in before the start: `ports` are this service's own ports.
    command: [python3, -u, -m, http.server, "{{ ports.http }}", --bind, 127.0.0.1]
    ports:
      http: auto          # a free port, held for as long as the environment lives
    files:                # written into the service's own directory, which is where it runs
      index.html: "{{ vars.greeting }} from the backend"
    health:               # it is healthy when all of these pass
      - http: {port: http, path: /index.html, status: 200}

  frontend:
    command: [python3, -u, -m, http.server, "{{ ports.http }}", --bind, 127.0.0.1]
    ports: {http: auto}
    env:                  # how a service finds another one
      BACKEND_URL: "{{ services.backend.endpoints.http }}"
    depends_on: [backend] # started when the backend is healthy
    health:
      - http: {port: http, path: /, status: 200}

# Services that ship with envspec are used by name: `etcd: {use: etcd}`, also nats, redis, http-server, dynamo-frontend
# and dynamo-mocker.

ready:                    # the environment as a whole is up when this passes as well
  - http: {endpoint: frontend.http, path: /, status: 200}
"""


@click.command
def init() -> int:
    """Write a first environment to start from.

    The file is environments/local.yaml, or local.yaml where [tool.envspec] environments in pyproject.toml says, with
    comments that explain it; it starts as it is.
    """
    path = Path(os.path.relpath(file_for_first(Path.cwd())))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.replace(SCHEMA, os.path.relpath(Path(FOLDER, ENVIRONMENT), path.parent)))
    except FileExistsError:
        message = f"{path} exists already; it is left as it is"
        raise UsageError(message, hint="start from it, or move it away first") from None
    name = "" if path.stem == DEFAULT else f" {path.stem}"
    terminal.show(
        [
            line(("wrote ", "green"), str(path)),
            BLANK,
            line(("  check it  ", "dim"), "envspec check"),
            line(("  start it  ", "dim"), f"envspec up{name}"),
        ]
    )
    return 0
