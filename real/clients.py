"""Clients of a real run: tasks of the supervisor, so that all operations are written down by one clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import trio

from ..properties.history import Complete, Invoke, Outcome, Value
from ..sim.calling import carry_out
from ..sim.payload import encode_recorded
from ..sim.scenario import OperationSpec, Scenario
from ..sim.schedule import Call
from .diary import Diary
from .host import RealClient
from .line import Happening, crash_detail

__all__ = ["Desk", "OwnLine"]


class OwnLine:
    """The line of a host that lives in the supervisor."""

    def __init__(self, name: str, diary: Diary) -> None:
        self._name = name
        self._diary = diary

    def tell(self, happening: Happening) -> None:
        """Write it down."""
        self._diary.happened(self._name, 1, happening)

    def cross(self, *_: str) -> None:
        """No fault waits for clients."""


class Desk:
    """Where one client's operations are begun.  `now` says how long the run has lasted, `number` counts operations of all clients."""

    def __init__(self, client: RealClient, scenario: Scenario, diary: Diary, now: Callable[[], float], number: Callable[[], int]) -> None:
        self.client = client
        self.dead = False
        self.idle = trio.Event()
        self.idle.set()
        self._scenario = scenario
        self._diary = diary
        self._now = now
        self._number = number
        self._processes = 1
        self._process = client.name

    def reserve(self) -> None:
        """An operation is about to be called."""
        self.idle = trio.Event()

    async def call(self, spec: OperationSpec, action: Call) -> None:
        """Carry out the operation that the client was reserved for."""
        values = tuple(action.arguments[name] for name in spec.arguments)
        argument = None if not values else values[0] if len(values) == 1 else values
        encode_recorded(argument, f"operation {spec.name} is called with", "draw a tuple (of a strategy: .map(tuple))")
        began = self._now()
        invoke = Invoke(0, 0.0, self._process, self._number(), spec.name, argument)
        detail: Mapping[str, Value] = {"process": self._process, "operation": invoke.operation, "function": spec.name, "argument": argument}
        cause = self._diary.write(began, "invoke", self.client.name, detail, None, invoke)
        self.client.begin(began)
        try:
            outcome, result, error = await carry_out(self._scenario, spec, self.client, action.arguments)
            encode_recorded(result, f"operation {spec.name} returned", "return a tuple")
        except trio.Cancelled:
            raise  # the run is over
        except BaseException as raised:  # noqa: BLE001  # of the operation's code; as a crash of its host it is a verdict
            self._diary.write(self._now(), "crash", self.client.name, crash_detail(raised))
            self.dead = True
            self.idle.set()
            return
        complete = Complete(0, 0.0, self._process, invoke.operation, outcome, result, error)
        detail = {"process": self._process, "operation": invoke.operation, "outcome": str(outcome), "result": result, "error": error}
        self._diary.write(self._now(), "complete", self.client.name, detail, cause, complete)
        if outcome is Outcome.INFO:
            self._processes += 1
            self._process = f"{self.client.name}.{self._processes}"
        self.idle.set()
