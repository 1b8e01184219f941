"""Two SIGINTs are a person who will not wait, unless they come together."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOOP = """
import asyncio, os, signal, sys
from envspec.cli import interruption

async def stop(reason):
    await asyncio.sleep(0.2)
    print(reason, "stopped", flush=True)

async def main():
    with interruption.Interruption(stop, lambda: None) as asked:
        os.kill(os.getpid(), signal.SIGINT)
        while not asked.came:
            await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGINT)
        await asked._stopping

interruption.TOGETHER = float(sys.argv[1])
asyncio.run(main())
"""
PLAIN = """
import os, signal, sys
from envspec.cli import interruption

interruption.TOGETHER = float(sys.argv[1])
interruption.as_interrupts()
try:
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt as first:
        os.kill(os.getpid(), signal.SIGINT)
        print(first, "stopped", flush=True)
except KeyboardInterrupt:
    print("left at once", file=sys.stderr)
    sys.exit(130)
"""


@pytest.mark.parametrize("program", [LOOP, PLAIN], ids=["with a loop", "without"])
@pytest.mark.parametrize(
    ("together", "code", "said"), [("60", 0, "Ctrl-C stopped\n"), ("0", 130, "")], ids=["one", "two"]
)
def test_two_that_come_together_are_one(program: str, together: str, code: int, said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", program, together], capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.returncode, ended.stdout) == (code, said), ended.stderr
    assert ended.stderr.startswith("left at once" if code else "")
