"""Before a session is lent again, its services are brought back to their first state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from envspec.session import registry
from envspec.session.control import Control
from envspec.session.detach import start_detached, start_lent
from tests.session.lent import LONG, Lent, status
from tests.session.running import Bench, eventually

RESETS: dict[str, Callable[[Bench], str]] = {
    "exec": lambda _: "[{exec: {shell: 'echo $WORD >> $BENCH/resets'}}]",
    "http": lambda _: "[{http: {port: http, path: /reset, status: 404}}]",
    "python": lambda _: "[{python: {call: 'resets:reset', args: ['{{ env.BENCH }}/resets']}}]",
}
MODULE = """
def reset(ctx, place):
    with open(place, "a") as file:
        file.write(ctx.replica.name + "\\n")
"""


@pytest.mark.parametrize("kind", RESETS)
def test_a_reset_runs_before_it_is_lent_again(lent: Lent, kind: str) -> None:
    bench = lent.bench
    (bench.path / "resets.py").write_text(MODULE)
    text = f"services: {{web: {{use: http-server, env: {{WORD: word}}, reset: {RESETS[kind](bench)}}}}}"
    request = bench.request(text)
    first = start_lent(request, "the first", LONG)
    first.close()
    eventually(lambda: status(first).ends is not None)

    def resets() -> int:
        log, file = Control(first.control.directory).read_log("web", 0, 65536)[0].decode(), bench.path / "resets"
        return log.count("/reset") if kind == "http" else len(file.read_text().split("\n")) - 1 if file.exists() else 0

    assert resets() == 0, "who started it gets it as it is"
    lent.borrow(request).close()
    once = 2 if kind == "http" else 1  # http.server writes two lines about a 404
    assert resets() in (1, once)
    eventually(lambda: not status(first).lent_to)
    lent.borrow(request).close()
    assert resets() in (2, 2 * once)


def test_a_reset_by_restart_restarts_that_service_alone(lent: Lent) -> None:
    text = """
    services:
      store: {use: http-server, reset: restart}
      web: {use: http-server, depends_on: [store]}
      fill: {kind: task, command: [sh, -c, 'echo filled >> $BENCH/filled'], depends_on: [store], reset: restart}
    """
    request = lent.bench.request(text)
    before = status(start_detached(request))
    loan = lent.borrow(request)
    after = status(loan)
    assert after.services["store"].pid != before.services["store"].pid
    assert after.services["store"].ports == before.services["store"].ports
    assert after.services["web"].pid == before.services["web"].pid
    assert (lent.bench.path / "filled").read_text() == "filled\n" * 2
    assert after.state == "healthy"
    loan.close()


def test_services_are_reset_after_those_that_they_depend_on(lent: Lent) -> None:
    hook = "reset: [{exec: {shell: 'echo %s >> $BENCH/resets'}}]"
    text = f"""
    services:
      web: {{use: http-server, depends_on: [store], {hook % "web"}}}
      store: {{use: http-server, depends_on: [disk], {hook % "store"}}}
      disk: {{use: http-server, {hook % "disk"}}}
    """
    request = lent.bench.request(text)
    start_detached(request)
    lent.borrow(request).close()
    assert (lent.bench.path / "resets").read_text().split() == ["disk", "store", "web"]


def test_one_whose_reset_fails_is_not_lent(lent: Lent) -> None:
    text = "services: {web: {use: http-server, reset: [{exec: {shell: 'echo no; exit 3'}}]}}"
    request = lent.bench.request(text)
    control = start_detached(request)
    (line,) = lent.refused(request)
    assert line.startswith(
        f"{control.directory.name} is not used: web could not be reset: services.web.reset[0] (exec)"
    )
    assert "no" in line
    assert not status(control).lent_to
    assert lent.refused(request, replace=True) == [line], "what a person started is theirs to stop"
    assert status(control).state == "healthy"


def test_one_that_waits_for_a_user_in_vain_makes_room_for_another(lent: Lent) -> None:
    text = "services: {web: {use: http-server, reset: [{exec: {command: ['false']}}]}}"
    request = lent.bench.request(text)
    loan = start_lent(request, "the first", LONG)
    loan.close()
    eventually(lambda: status(loan).ends is not None)
    told = lent.refused(request, replace=True)
    assert told[1:] == [f"{loan.control.directory.name} was stopped"]
    assert registry.sessions() == []
