"""Deaths at any moment of a test, also in the very one in which it ends: always a failure, never an internal error."""

from __future__ import annotations

import pytest

SLEEPER = """
version: 1
services:
  worker: {command: [sleep, "1000"]}
"""

STRIKES = """
import random, threading, time
import pytest
from envspec.plan import events as e
from envspec.pytest_plugin import pool_of

@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    watching = session.config.pluginmanager.get_plugin("envspec watching")
    if watching is None:
        return  # the controller of xdist
    pool = pool_of(session.config)
    pool.break_ = lambda wanted, sentence: watching._lent(wanted, pool.held[wanted]._handle, pool.held[wanted])
    moments = random.Random(7)

    def strike():
        died = dict(replica="worker", pid=1, exit_code=1, signal=None, expected=False)
        while True:
            time.sleep(moments.random() * 0.06)
            for watch in tuple(watching._watches.values()):
                watch._hear(e.ReplicaExited(**died, time=time.time()))

    threading.Thread(target=strike, daemon=True).start()
"""

TESTS = """
import random, subprocess, sys, time
import pytest

moments = random.Random(8)

@pytest.fixture
def prepared(environment, tmp_path):
    time.sleep(moments.random() * 0.001)
    yield
    time.sleep(moments.random() * 0.001)

@pytest.mark.parametrize("number", range({count}))
def test_x(prepared, number):
    end = time.perf_counter() + moments.random() * 0.003
    while time.perf_counter() < end:
        pass
"""


@pytest.mark.parametrize("options", [(), ("-n2",), ("--timeout=60",)], ids=["alone", "xdist", "timeout"])
def test_deaths_at_random_moments_are_failures_and_nothing_else(
    pytester: pytest.Pytester, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")  # whole sentences in the summary
    (pytester.mkdir("environments") / "sleeper.yaml").write_text(SLEEPER)
    pytester.makeconftest(STRIKES)
    pytester.makepyfile(TESTS.format(count=300))
    result = pytester.runpytest_subprocess("--env=sleeper", "--tb=line", "-q", "-p", "no:cacheprovider", *options)

    told = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in told
    assert "Traceback" not in told
    outcomes = result.parseoutcomes()
    assert outcomes.keys() <= {"passed", "failed", "errors", "error"}
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) > 0  # how many, the machine's load decides
    assert sum(outcomes.values()) >= 300  # one that passed errs nevertheless where it breaks in its teardown
    reasons = [line for line in result.outlines if line.startswith(("FAILED", "ERROR "))]
    names = [line.split()[1] for line in reasons]
    assert len(names) == len(set(names)), "one death is an error or a failure of its test, and never both"
    assert all("services.worker exited" in line or "EnvironmentBroken" in line for line in reasons), reasons
