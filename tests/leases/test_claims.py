"""Which numbers a claim finds."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from envspec.errors import PortUnavailableError
from envspec.leases import sysctl
from envspec.leases.ports import Hold, claim

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
MINE = (10000 + WORKER % 9 * 1000, 10999 + WORKER % 9 * 1000)  # no other worker of this run seeks there


def stretch(length: int) -> int:
    """The first of so many free numbers in a row."""
    holds = claim("127.0.0.1", [MINE], count=length)
    close(holds)
    return holds[0].number


def close(holds: list[Hold]) -> None:
    for hold in holds:
        hold.close()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that stands in for /proc/sys/net/ipv4: those settings are the whole machine's, not a test's."""
    monkeypatch.setattr(sysctl, "_IPV4", tmp_path)
    return tmp_path


def test_claims_use_up_a_range_without_repeating_a_number() -> None:
    first = stretch(20)
    with ExitStack() as stack:
        numbers = {stack.enter_context(claim("127.0.0.1", [(first, first + 19)])[0]).number for _ in range(20)}
        assert numbers == set(range(first, first + 20))
        with pytest.raises(PortUnavailableError):
            claim("127.0.0.1", [(first, first + 19)])


def test_searches_begin_at_different_numbers() -> None:
    with ExitStack() as stack:
        numbers = [stack.enter_context(claim("127.0.0.1", [MINE])[0]).number for _ in range(10)]
    assert max(numbers) - min(numbers) > 100


def test_the_next_range_is_used_when_the_first_is_full() -> None:
    first = stretch(2)
    with (
        claim("127.0.0.1", [(first, first)])[0],
        claim("127.0.0.1", [(first, first), (first + 1, first + 1)])[0] as hold,
    ):
        assert hold.number == first + 1


@pytest.mark.parametrize("attempt", range(5))
def test_a_block_is_contiguous_and_goes_around_what_is_taken(attempt: int) -> None:
    del attempt  # the search begins at random: some of these begin behind the only place that fits
    first = stretch(12)
    with claim("127.0.0.1", [], fixed=first + 3)[0], claim("127.0.0.1", [], fixed=first + 9)[0]:
        block = claim("127.0.0.1", [(first, first + 11)], count=5)
    close(block)
    assert [hold.number for hold in block] == list(range(first + 4, first + 9))


def test_a_block_lies_within_one_range() -> None:
    first = stretch(6)
    with pytest.raises(PortUnavailableError, match="no 4 free ports in a row"):
        claim("127.0.0.1", [(first, first + 2), (first + 3, first + 5)], count=4)


def test_a_block_that_cannot_be_had_leaves_nothing_held() -> None:
    first = stretch(3)
    with claim("127.0.0.1", [], fixed=first + 2)[0]:
        with pytest.raises(PortUnavailableError):
            claim("127.0.0.1", [(first, first + 2)], count=3)
        with pytest.raises(PortUnavailableError):
            claim("127.0.0.1", [], fixed=first, count=3)
        close(claim("127.0.0.1", [], fixed=first, count=2))


def test_numbers_above_the_limit_are_not_used() -> None:
    first = stretch(10)
    with ExitStack() as stack:
        for expected in ({first, first + 1}, {first, first + 1}):
            hold = stack.enter_context(claim("127.0.0.1", [(first, first + 9)], limit=first + 1)[0])
            assert hold.number in expected
        with pytest.raises(PortUnavailableError):
            claim("127.0.0.1", [(first, first + 9)], limit=first + 1)


def test_numbers_that_the_administrator_reserves_are_sought_by_nobody(settings: Path) -> None:
    first = stretch(6)
    (settings / "ip_local_reserved_ports").write_text(f"{first}-{first + 1},{first + 4}\n")
    block = claim("127.0.0.1", [(first, first + 5)], count=2)
    close(block)
    assert [hold.number for hold in block] == [first + 2, first + 3]
    with pytest.raises(PortUnavailableError, match=r"3 kept back in net\.ipv4\.ip_local_reserved_ports"):
        claim("127.0.0.1", [(first, first + 5)], count=3)
    close(claim("127.0.0.1", [], fixed=first))


@pytest.mark.parametrize(
    ("ephemeral", "expected"),
    [("32768\t60999", (20000, 32767)), ("25000\t60999", (20000, 24999)), ("1024\t65535", (20000, 24999))],
)
def test_any_port_means_below_what_the_kernel_hands_out(
    settings: Path, ephemeral: str, expected: tuple[int, int]
) -> None:
    (settings / "ip_local_port_range").write_text(f"{ephemeral}\n")
    assert sysctl.lease_range() == expected
    with claim("127.0.0.1", [])[0] as hold:
        assert expected[0] <= hold.number <= expected[1]
