"""Services to do something to: one that keeps data, one with children, one that just runs."""

from __future__ import annotations

SERVICES = """
services:
  store:
    command: [sh, -c, "date +%s%N > born; mkdir -p data/deep; echo old > data/deep/file; echo mine >> notes; sleep 100"]
    files: {notes: "as written\\n"}
    health: [{exec: {command: [test, -e, data/deep/file]}}]
  engine:
    command: [sh, -c, "sh -c 'exec sleep 1001' & first=$!; sleep 1002 & wait $first; exit 7"]
  other: {command: [sleep, "100"]}
"""
