"""Clocks, as the standard library gives them to a host: virtual time, on the host's own clock, in UTC."""

from __future__ import annotations

import os
import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from .native import Native

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..machine import Machine

__all__ = ["NATIVES", "Zone"]

_NANO = 1_000_000_000


def _wall(machine: Machine, *_: Any) -> float:
    return machine.clock.wall()


def _wall_ns(machine: Machine, *_: Any) -> int:
    return round(machine.clock.wall() * _NANO)


def _monotonic(machine: Machine, *_: Any) -> float:
    return machine.clock.monotonic()


def _monotonic_ns(machine: Machine, *_: Any) -> int:
    return round(machine.clock.monotonic() * _NANO)


def _sleep(machine: Machine, _module: Any, arguments: tuple[Any, ...], _keywords: Any, real: Callable[..., Any]) -> Any:
    """A host that blocks does nothing else meanwhile: it stands still until then."""
    (seconds,) = arguments
    if not isinstance(seconds, int | float) or not seconds >= 0:
        return real(*arguments)  # which says what is wrong
    machine.clock.block(float(seconds))
    return None


def _clock_gettime(machine: Machine, _module: Any, arguments: tuple[Any, ...], _keywords: Any, _real: Any) -> float:
    return machine.clock.wall() if arguments == (time.CLOCK_REALTIME,) else machine.clock.monotonic()


def _clock_gettime_ns(machine: Machine, *rest: Any) -> int:
    return round(_clock_gettime(machine, *rest) * _NANO)


def _time_tuple(machine: Machine, _module: Any, arguments: tuple[Any, ...], _keywords: Any, real: Callable[..., Any]) -> Any:
    """`gmtime` and `localtime`: the host's clock unless another time is given, and UTC in any case."""
    seconds = arguments[0] if arguments and arguments[0] is not None else machine.clock.wall()
    return _gmtime.real(time, (seconds,))


def _ctime(machine: Machine, *rest: Any) -> str:
    return time.asctime(_time_tuple(machine, *rest))


def _asctime(machine: Machine, module: Any, arguments: tuple[Any, ...], keywords: Any, real: Callable[..., Any]) -> Any:
    return real(*(arguments or (_time_tuple(machine, module, (), keywords, real),)))


def _strftime(machine: Machine, module: Any, arguments: tuple[Any, ...], keywords: Any, real: Callable[..., Any]) -> Any:
    return real(arguments[0], arguments[1] if len(arguments) > 1 else _time_tuple(machine, module, (), keywords, real))


def _now(machine: Machine, cls: Any, arguments: tuple[Any, ...], keywords: dict[str, Any], _real: Any) -> Any:
    zone = arguments[0] if arguments else keywords.get("tz")
    moment = cls.fromtimestamp(machine.clock.wall(), UTC if zone is None else zone)
    return moment.replace(tzinfo=None) if zone is None else moment


def _today(machine: Machine, cls: Any, *_: Any) -> Any:
    moment = datetime.fromtimestamp(machine.clock.wall(), UTC)
    if issubclass(cls, datetime):
        return cls.fromtimestamp(machine.clock.wall(), UTC).replace(tzinfo=None)  # it inherits `today` of `date`
    return cls(moment.year, moment.month, moment.day)


_gmtime = Native(time.gmtime, _time_tuple)

NATIVES = (
    Native(time.time, _wall),
    Native(time.time_ns, _wall_ns),
    Native(time.clock_gettime, _clock_gettime),
    Native(time.clock_gettime_ns, _clock_gettime_ns),
    *(Native(function, _monotonic) for function in (time.monotonic, time.perf_counter, time.process_time, time.thread_time)),
    *(Native(function, _monotonic_ns) for function in (time.monotonic_ns, time.perf_counter_ns, time.process_time_ns, time.thread_time_ns)),
    Native(time.sleep, _sleep),
    _gmtime,
    Native(time.localtime, _time_tuple),
    Native(time.ctime, _ctime),
    Native(time.asctime, _asctime),
    Native(time.strftime, _strftime),
    Native(datetime.now, _now),
    Native(datetime.utcnow, _now),
    Native(date.today, _today),
)
"""What is replaced.  Processor time passes as virtual time does: a program takes none of either."""


class Zone:
    """The time zone of the process is UTC while a world is driven: C code of `datetime` and `time.mktime` ask the C library for it."""

    def __enter__(self) -> None:
        """Change it, unless it is that already."""
        self._saved: tuple[str | None] | None = None
        if time.daylight or time.timezone or time.tzname[0] != "UTC":
            self._saved = (os.environ.get("TZ"),)
            os.environ["TZ"] = "UTC"
            time.tzset()

    def __exit__(self, *_: object) -> None:
        """Change it back."""
        if self._saved is not None:
            (zone,) = self._saved
            if zone is None:
                del os.environ["TZ"]
            else:
                os.environ["TZ"] = zone
            time.tzset()
