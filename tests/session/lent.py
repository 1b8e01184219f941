"""Borrowing in tests: what was said is remembered."""

from __future__ import annotations

from typing import Any

from envspec.session.control import Control
from envspec.session.lending import Loan, borrow
from envspec.session.request import Request
from envspec.session.status import SessionStatus
from tests.session.running import Bench

LONG = 600.0


class Lent:
    """Borrows for a test, and remembers what it was told."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.told: list[str] = []

    def borrow(self, request: Request, **more: Any) -> Loan:
        loan = borrow(request, "a test", self.told.append, **more)
        assert loan is not None, self.told
        return loan

    def refused(self, request: Request, **more: Any) -> list[str]:
        self.told.clear()
        assert borrow(request, "a test", self.told.append, **more) is None
        return self.told


def status(loan: Loan | Control) -> SessionStatus:
    return (loan.control if isinstance(loan, Loan) else loan).status()
