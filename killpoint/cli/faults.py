"""`killpoint faults [KIND]`: the kinds of fault, what each models, and its parameters."""

from __future__ import annotations

import difflib
import inspect
from argparse import Namespace

import msgspec

from ..sim import faults
from ..sim.fault import Fault
from .arguments import VALID, UsageError
from .console import print_json, show
from .scenarios import about

__all__ = ["run"]


def run(options: Namespace) -> int:
    """List all kinds, or tell of one."""
    kinds = {name: kind for name, kind in sorted(Fault.registry.items()) if kind.__module__.startswith(faults.__package__ or "")}
    if options.kind is not None:
        if options.kind not in kinds:
            near = difflib.get_close_matches(options.kind, kinds, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; `killpoint faults` lists them"
            raise UsageError(f"there is no fault of the kind {options.kind!r}{hint}")
        kinds = {options.kind: kinds[options.kind]}
    if options.json:
        print_json({name: _plain(kind) for name, kind in kinds.items()})
    elif options.kind is None:
        show([f"{name:<16} {about(kind)}" for name, kind in kinds.items()])
    else:
        show([line for name, kind in kinds.items() for line in _told(name, kind)])
    return VALID


def _told(name: str, kind: type[Fault]) -> list[str]:
    lines = [name, "", *(f"    {line}".rstrip() for line in inspect.cleandoc(kind.__doc__ or "").splitlines()), ""]
    lines += [f"    {field:<18} {default}" for field, default in _parameters(kind).items()]
    return lines


def _parameters(kind: type[Fault]) -> dict[str, str]:
    """Its fields, and their defaults in words."""
    return {
        field.name: "required" if field.default is msgspec.NODEFAULT else f"default {field.default!r}"
        for field in sorted(msgspec.structs.fields(kind), key=lambda field: field.name == "duration")
    }


def _plain(kind: type[Fault]) -> dict[str, object]:
    return {"about": about(kind), "models": inspect.cleandoc(kind.__doc__ or ""), "parameters": _parameters(kind)}
