"""An environment that is known but has no ports yet: read from its file, or recalled from an earlier session."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from envspec.errors import SpecError
from envspec.plan.outline import Outline
from envspec.plan.plan import Bindings, Plan
from envspec.session.recall import Recalled, Sample, keep, recall, with_changing
from envspec.session.request import Request
from envspec.session.stand_ins import stand_ins

if TYPE_CHECKING:
    from envspec.spec.environment import Environment


class Draft(Protocol):
    """What a session starts from."""

    outline: Outline

    def plan(self, bindings: Bindings) -> Plan:
        """Return the plan with these numbers in it.

        Raises:
            SpecError: the file is wrong in a way that only shows when everything is rendered.
        """

    def plan_for(self, bindings: Bindings) -> Plan:
        """Do as `plan`, for numbers that are not this session's: it remembers nothing of them."""

    def sketch(self) -> tuple[Plan, Bindings]:
        """Return the plan with stand-ins for everything that a session supplies, and those: nothing of either is here.

        Raises:
            SpecError: the file is wrong in a way that only shows when everything is rendered.
        """

    def keep(self) -> None:
        """Remember the plan for the next session, where that saves anything. Never raises."""


def draft(request: Request) -> Draft:
    """Return the environment that is asked for.

    Raises:
        SpecError: the file is wrong; holds everything that is wrong with it.
    """
    recalled = recall(request)
    if recalled is not None:
        return Known(request, recalled)
    try:
        written = Written(request)
        written.sketch()  # what is wrong is told before there is a session
    except SpecError as error:
        raise _in_full(error, request) from None
    return written


def _in_full(error: SpecError, request: Request) -> SpecError:
    """Return the error with what is wrong with the file's texts as well, where its shape is wrong already."""
    from envspec.resolve import check

    everything = check(request.file, sets=request.sets, environ=request.environ)
    return SpecError(everything) if set(error.diagnostics) <= set(everything) else error


class Written:
    """An environment as its file has it."""

    def __init__(self, request: Request) -> None:
        # Here, not above: a draft that is recalled needs neither pydantic nor jinja2, and they take 150 ms to import.
        from envspec.resolve import outline
        from envspec.spec.load import load
        from envspec.spec.reading import noted

        self._request = request
        with noted() as self._files:
            self._environment: Environment = load(request.file, sets=request.sets, environ=request.environ)
        self.outline = outline(self._environment)

    def sketch(self) -> tuple[Plan, Bindings]:
        """Render everything with stand-ins. It takes little: what it works out, the plan does not work out again."""
        from envspec.resolve import resolve, stand_in

        bindings = stand_in(self._environment)
        return resolve(self._environment, bindings, self._request.environ), bindings

    def plan(self, bindings: Bindings) -> Plan:
        """Render everything."""
        self._bindings = bindings
        return self.plan_for(bindings)

    def plan_for(self, bindings: Bindings) -> Plan:
        """Render everything."""
        from envspec.resolve import resolve

        return resolve(self._environment, bindings, self._request.environ)

    def keep(self) -> None:
        """Make the plan for some stand-ins, which shows where it depends on what.

        One is made of the file as it was read, the others of the file read anew with other variables.
        """
        from envspec.spec.reading import noted

        elsewhere = with_changing(self._request.environ, "/elsewhere")
        try:
            with noted() as files:
                again = Written(replace(self._request, environ=elsewhere))
                first, *others = stand_ins(self.outline, self._bindings)
                samples = [self._sample(first), *map(again._sample, others)]
        except (SpecError, LookupError):
            return  # a template that this session's numbers please may choke on these
        keep(self._request, self.outline, samples, {**self._files, **files})

    def _sample(self, bindings: Bindings) -> Sample:
        return Sample(bindings, self._request.environ, self.plan_for(bindings))


class Known:
    """An environment as an earlier session found it."""

    def __init__(self, request: Request, recalled: Recalled) -> None:
        self._request = request
        self._recalled = recalled
        self.outline = recalled.outline

    def plan(self, bindings: Bindings) -> Plan:
        """Put the numbers in; where that cannot be done safely, read the file after all."""
        return self._recalled.plan(bindings) or Written(self._request).plan(bindings)

    def plan_for(self, bindings: Bindings) -> Plan:
        """Do the same: nothing of either is remembered."""
        return self.plan(bindings)

    def sketch(self) -> tuple[Plan, Bindings]:
        """Read the file for it: it is asked for where nothing is started."""
        return Written(self._request).sketch()

    def keep(self) -> None:
        """It is kept already."""
