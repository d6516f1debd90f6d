"""How values, messages and events are put into words: the one place, so that pictures, tables and lines agree.

Everything that comes out of a run may be hostile or merely odd (control characters, lone surrogates, a megabyte of bytes), so
every text made here is one line of valid UTF-8 of bounded length.  Escaping for HTML is left to whoever writes HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..properties.history import Value, render
from ..sim.trace import TraceEvent

__all__ = [
    "NAMELESS",
    "call_text",
    "clean",
    "counted",
    "duration",
    "event_text",
    "instant",
    "link_pairs",
    "message_name",
    "result_text",
    "seconds",
    "short",
    "value_text",
]

NAMELESS = ("str", "bytes", "int", "float", "bool", "NoneType", "tuple")
"""Names that say nothing of what a message is."""
_OBSERVED_ORDER = ("role", "term", "phase")


def seconds(time: float) -> str:
    """Virtual time for people, to the millisecond: `0.250 s`."""
    return f"{time:.3f} s"


def instant(time: float) -> str:
    """Virtual time as listings of events give it, to the microsecond: `0.250000 s`."""
    return f"{time:.6f} s"


def duration(time: float) -> str:
    """A length of time without needless zeros: `1.0 s`, `0.25 s`."""
    text = f"{time:.6f}".rstrip("0")
    return f"{text}0 s" if text.endswith(".") else f"{text} s"


def counted(number: int, noun: str) -> str:
    """`1 run`, `2,000 runs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def clean(text: str, limit: int = 400) -> str:
    """One printable line of at most `limit` characters: control characters and lone surrogates become escapes."""
    if len(text) > limit:
        text = text[: limit - 20] + " ... " + text[-15:]
    if text.isprintable():
        return text
    kept = (c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return "".join(kept)


def short(text: str, limit: int) -> str:
    """The beginning of a line, with an ellipsis if that is not all of it."""
    text = clean(text, max(4 * limit, 80))
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "\u2026"


def call_text(function: str, argument: Value) -> str:
    """`write(5)`, `cas(1, 2)`, `read()`."""
    shown = "" if argument is None else render(argument)
    if type(argument) is tuple and len(argument) > 1:
        shown = ", ".join(render(item) for item in argument)
    return f"{function}({shown})"


def result_text(argument: Value, result: Value) -> str:
    """What a successful operation gave: a write's None is just `ok`, while a read's None is what was read."""
    return "ok" if result is None and argument is not None else render(result)


def value_text(value: Value, limit: int = 400) -> str:
    """A value on one line: strings bare, everything else as `render` writes it."""
    return clean(value if isinstance(value, str) else render(value), limit)


def message_name(body: Value) -> str:
    """What kind of message this is: the class of a struct, the word that a tuple or a string begins with, else
    the type."""
    head = body[0] if isinstance(body, tuple) and body else body
    if isinstance(head, str):
        word = re.match(r"[A-Za-z][A-Za-z_-]{0,23}(?![A-Za-z0-9_-])", head)
        return word[0] if word else type(body).__name__
    name = type(head).__name__
    return type(body).__name__ if name in NAMELESS else name


def event_text(event: TraceEvent) -> str:
    """What happened, without time and host: `AppendEntries(term=1, ...) to n2`."""
    detail = event.detail
    words = _WORDS.get(event.kind)
    if words is not None:
        return words(detail)
    return _pairs(detail)


def _pairs(detail: Mapping[str, Value]) -> str:
    keys = [key for key in _OBSERVED_ORDER if key in detail] + [key for key in detail if key not in _OBSERVED_ORDER]
    return " ".join(f"{key}={value_text(detail[key], 120)}" for key in keys)


def _send(detail: Mapping[str, Value]) -> str:
    return f"to {value_text(detail.get('to'))}  {value_text(detail.get('body'), 160)}"


def _deliver(detail: Mapping[str, Value]) -> str:
    return f"from {value_text(detail.get('sender'))}  {value_text(detail.get('body'), 160)}"


def _drop(detail: Mapping[str, Value]) -> str:
    return f"from {value_text(detail.get('sender'))}  {value_text(detail.get('body'), 160)}: {value_text(detail.get('why'))}"


def _disk(detail: Mapping[str, Value]) -> str:
    size = detail.get("size")
    bytes_text = f", {size} bytes" if size else ""
    failed = f": {detail['failed']}" if detail.get("failed") else ""
    return f"{value_text(detail.get('operation'))} {value_text(detail.get('path'))}{bytes_text}{failed}"


def _killpoint(detail: Mapping[str, Value]) -> str:
    return f"{value_text(detail.get('name'))} (crossing {value_text(detail.get('ordinal'))})"


def _invoke(detail: Mapping[str, Value]) -> str:
    argument = detail.get("argument")
    shown = "" if argument is None else render(argument)
    return clean(f"{value_text(detail.get('process'))} {value_text(detail.get('function'))}({shown})", 160)


def _complete(detail: Mapping[str, Value]) -> str:
    outcome, error = value_text(detail.get("outcome")), detail.get("error")
    shown = {"ok": f"-> {render(detail.get('result'))}", "fail": "-> fail", "info": "-> unknown"}.get(outcome, outcome)
    why = f" ({value_text(error)})" if error else ""
    return clean(f"{value_text(detail.get('process'))} {shown}{why}", 200)


def _strike(detail: Mapping[str, Value]) -> str:
    return f"{value_text(detail.get('fault'))} {value_text(detail.get('target') or '')}".strip()


def _log(detail: Mapping[str, Value]) -> str:
    return f"{value_text(detail.get('level'))}: {value_text(detail.get('message'))}"


def _kill(detail: Mapping[str, Value]) -> str:
    kept = detail.get("kept")
    return value_text(detail.get("mode")) + (f", disk kept {value_text(kept)}" if kept else "")


def _crash(detail: Mapping[str, Value]) -> str:
    return f"{value_text(detail.get('error'))} at {value_text(detail.get('where'))}"


def _links(detail: Mapping[str, Value]) -> str:
    return clean(", ".join(f"{a} -> {b}" for a, b in link_pairs(detail)), 200)


def link_pairs(detail: Mapping[str, Value]) -> list[tuple[str, str]]:
    """The directed links that a `cut` or `heal` names."""
    links = detail.get("links")
    pairs = links if isinstance(links, (tuple, list)) else ()
    return [(str(pair[0]), str(pair[1])) for pair in pairs if isinstance(pair, (tuple, list)) and len(pair) == 2]


_WORDS = {
    "send": _send,
    "deliver": _deliver,
    "drop": _drop,
    "disk": _disk,
    "killpoint": _killpoint,
    "invoke": _invoke,
    "complete": _complete,
    "strike": _strike,
    "log": _log,
    "kill": _kill,
    "crash": _crash,
    "cut": _links,
    "heal": _links,
}
