"""Pictures of histories: what `killpoint check --html` writes, and what a notebook shows.

The picture looks for orders anew, in every part of the object, and does so for at most `PATIENCE` seconds, or less if the check had less:
a verdict may need no order (see `properties/orders.py`), and nobody waits a minute for a line in a picture.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .checking import MODELS, Examined, UnknownModelError, as_meant
from .properties.history import Event, History, Operation
from .properties.independent import Independent
from .properties.isolation import analyse as analyse_transactions
from .properties.linearizability import Linearizable
from .properties.orders import orders_of
from .properties.specification import Specification
from .properties.verdict import Verdict
from .report.history import history_html
from .report.page import framed
from .sim import codec

__all__ = ["Picture", "draw"]

PATIENCE = 10.0


class Picture:
    """The picture of a history: a page of its own, and in a notebook a cell."""

    def __init__(self, page: str) -> None:
        self._page = page

    @classmethod
    def of(cls, examined: Examined, title: str, timeout: float | None = None) -> Picture:
        """The picture of what was examined; orders are looked for in at most `timeout` seconds."""
        if examined.workload:
            return cls(_transactions(examined, title))
        if examined.specification is None:
            return cls(history_html(examined.history, examined.operations, title=title, verdict=examined.verdict))
        history, operations = examined.history, examined.operations
        return cls(_object(history, operations, operations, examined.specification, examined.verdict, title, timeout))

    def html(self) -> str:
        """A complete page, which needs nothing else."""
        return self._page

    def save(self, path: str | Path) -> None:
        """Write the page to a file, atomically."""
        codec.write_atomically(Path(path), self._page)

    def _repr_html_(self) -> str:
        return framed(self._page, 560)

    def __repr__(self) -> str:
        return f"<Picture of {len(self._page):,} bytes: show it in a notebook, or save(path)>"


def draw(
    history: History,
    model: Linearizable | Specification | str | None = None,
    *,
    title: str = "history",
    timeout: float | None = None,
) -> Picture:
    """The picture of a history, with the order of its operations if there is a `model`.

    That is a specification, or the name of one that `--model` takes, or a property, which may look at some of the operations only.

    Raises:
        UnknownModelError: no model has this name.
        SpecificationError: the specification does not know an operation.
    """
    if model is None:
        return Picture(history_html(history, history.operations, title=title))
    operations: Sequence[Operation] = history.operations
    if isinstance(model, str):
        if model not in MODELS:
            raise UnknownModelError(f"there is no model {model!r}: choose one of {', '.join(MODELS)}")
        model, operations = as_meant(MODELS[model], operations)
    prop = model if isinstance(model, Linearizable) else Linearizable(model)
    judged = [one for one in operations if prop.functions is None or one.function in prop.functions]
    verdict = prop.judge(judged, _deadline(timeout))
    return Picture(_object(history, operations, judged, prop.specification, verdict, title, timeout))


def _deadline(timeout: float | None) -> Callable[[], bool]:
    ends = time.monotonic() + (PATIENCE if timeout is None else min(timeout, PATIENCE))
    return lambda: time.monotonic() > ends


def _object(
    history: Sequence[Event],
    operations: Sequence[Operation],
    judged: Sequence[Operation],
    specification: Specification,
    verdict: Verdict,
    title: str,
    timeout: float | None,
) -> str:
    expired = _deadline(timeout)
    parts = orders_of(specification, judged, expired=expired)
    # Of independent objects each begins as one of them does.
    initial = (specification.each if isinstance(specification, Independent) else specification).initial
    return history_html(history, operations, title=title, verdict=verdict, parts=parts, initial=initial, expired=expired)


def _transactions(examined: Examined, title: str) -> str:
    found = analyse_transactions(examined.operations, examined.workload)
    return history_html(
        examined.history, examined.operations, title=title, verdict=examined.verdict, anomalies=found.anomalies, counts=found.counts
    )
