"""What counts as evidence that the kernel killed for want of memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.agent import oom
from envspec.agent.loop import Loop
from envspec.agent.oom import OomKills, OomWatch, evidence

COUNTER = Path("/sys/fs/cgroup/memory.events")


def test_a_count_that_rose_is_evidence_and_names_its_file() -> None:
    assert (
        evidence(OomKills(COUNTER, 2), OomKills(COUNTER, 3))
        == "oom_kill in /sys/fs/cgroup/memory.events rose from 2 to 3"
    )


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (OomKills(COUNTER, 2), OomKills(COUNTER, 2)),
        (None, OomKills(COUNTER, 2)),
        (OomKills(COUNTER, 2), None),
        (OomKills(COUNTER, 2), OomKills(Path("/sys/fs/cgroup/elsewhere/memory.events"), 3)),
    ],
)
def test_without_a_count_of_one_group_that_rose_there_is_no_evidence(
    before: OomKills | None, now: OomKills | None
) -> None:
    assert not evidence(before, now)


@pytest.mark.parametrize("layout", ["v2", "v1"])
def test_the_count_of_our_own_group_is_read(layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        place = tmp_path / "memory" if layout == "v1" else tmp_path
        if (layout == "v1") == ("memory" in controllers) and (controllers in ("", "memory")):
            group = place / path.lstrip("/")
            group.mkdir(parents=True, exist_ok=True)
            file = group / ("memory.oom_control" if layout == "v1" else "memory.events")
            file.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n")
            break
    else:
        pytest.skip(f"this host has no cgroup {layout}")
    monkeypatch.setattr(oom, "MOUNT", tmp_path)

    assert oom.oom_kills() == OomKills(file, 7)


def test_a_kill_of_long_ago_is_no_evidence_for_a_death_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else in the cgroup was killed for memory while our service ran on."""
    monkeypatch.setattr(oom, "PERIOD", 0.001)
    counts = [2, 3, 3, 3]
    loop = Loop()
    watch = OomWatch(loop, lambda: OomKills(COUNTER, counts.pop(0) if len(counts) > 1 else counts[0]))
    watch.watch(lambda: True)
    assert "from 2 to 3" in watch.evidence()
    loop.after(0.1, loop.stop)
    loop.run()
    assert not watch.evidence()
