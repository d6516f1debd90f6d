"""Properties are code of the scenario's author, and may fail: what goes wrong in them is told in one sentence, with his line.

A monitor that raises has said nothing about the system, so it is neither a violation nor a crash of a host: the run ends with a
`PropertyError`, which says which property, where in its author's code, why, and what it was looking at.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..properties.history import Complete, Event, Incident, Invoke, render
from ..properties.verdict import Monitor, Property, Status, Verdict
from .authors import AuthorError, at, told
from .frames import defined_at

__all__ = ["PropertyError", "checked", "finished", "judged", "misjudged", "started"]


class PropertyError(AuthorError):
    """A property or specification that failed to judge a run: says which, where, and of what."""


def started(prop: Property) -> Monitor:
    """A property's monitor.

    Raises:
        PropertyError: it has none.
    """
    try:
        monitor = prop.start()
    except Exception as error:
        raise PropertyError(f"the property {named(prop)} cannot start: {told(error)}") from error
    missing = [name for name in ("feed", "finish") if not callable(getattr(monitor, name, None))]
    if isinstance(monitor, type) or missing:
        what = f"the class {monitor.__name__}" if isinstance(monitor, type) else render(monitor)
        where = at(defined_at(prop.start))
        needed = "it must return a monitor, with feed() and finish()"
        raise PropertyError(f"start() of the property {named(prop)} returned {what}{where}: {needed}")
    return monitor


def checked(prop: Property | None, monitor: Monitor, verdict: object, event: Event) -> Verdict:
    """What `feed` returned, which is not None.

    Raises:
        PropertyError: it is no `invalid` verdict.
    """
    if isinstance(verdict, Verdict) and verdict.status is Status.INVALID:
        return verdict
    said = f"a verdict that is {verdict.status}" if isinstance(verdict, Verdict) else render(verdict)
    where = at(defined_at(monitor.feed))
    who = named(prop) if prop is not None else type(monitor).__name__
    raise PropertyError(
        f"feed() of the property {who} returned {said}{where}, after {_words(event)}: it must return an invalid Verdict as soon as "
        "nothing can repair the run, else None"
    )


def finished(prop: Property, monitor: Monitor, events: Sequence[Event]) -> Verdict:
    """A monitor's last word.

    Raises:
        PropertyError: it has none.
    """
    try:
        verdict: object = monitor.finish()
    except Exception as error:
        raise misjudged(prop, monitor, error, None, len(events)) from error
    if not isinstance(verdict, Verdict):
        where = at(defined_at(monitor.finish))
        raise PropertyError(f"finish() of the property {named(prop)} returned {render(verdict)}{where}: it must return a Verdict")
    return verdict


def judged(prop: Property, events: Sequence[Event]) -> Verdict:
    """The verdict of a property on a finished run.

    Raises:
        PropertyError: it failed to judge it.
    """
    monitor = started(prop)
    for event in events:
        try:
            verdict = monitor.feed(event)
        except Exception as error:
            raise misjudged(prop, monitor, error, event) from error
        if verdict is not None:
            return checked(prop, monitor, verdict, event)
    return finished(prop, monitor, events)


def misjudged(prop: Property | None, monitor: Monitor, error: Exception, event: Event | None, seen: int = 0) -> PropertyError:
    """The error for a monitor that raised one: when fed an event, or at the end of a run."""
    who = named(prop) if prop is not None else type(monitor).__name__
    when = f"when it was fed {_words(event)}" if event is not None else f"in the end, after {seen:,} events"
    return PropertyError(f"the property {who} failed to judge the run: {told(error)}, {when}")


def named(prop: Property) -> str:
    """A property's name, which is code too."""
    try:
        return str(prop.name)
    except Exception:  # noqa: BLE001  # then it is known by its class
        return type(prop).__name__


def _words(event: Event) -> str:
    if isinstance(event, Invoke):
        what = f"the invocation {event.function}({'' if event.argument is None else render(event.argument)}) of {event.process}"
    elif isinstance(event, Complete):
        what = f"the completion of operation {event.operation} of {event.process}, {event.outcome} with {render(event.result)}"
    elif isinstance(event, Incident):
        what = f"the incident {event.kind}{f' of {event.host}' if event.host else ''}"
    else:
        what = f"the observation {', '.join(f'{name}={render(value)}' for name, value in event.values.items())} of {event.host}"
    return f"{what} (event {event.index}, at {event.time:.6f} s)"
