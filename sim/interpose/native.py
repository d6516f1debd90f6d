"""Replacing what a function of CPython's own does, for whoever holds it.

Replacing `time.monotonic` in its module does not reach a module that has said `from time import monotonic`.  So the C function itself is
replaced: a built-in function points to a `PyMethodDef`, which points to the C code, and that pointer is changed while a world is driven.
(The library time-machine does the same for the wall clock; what programs need besides is the other clocks, and randomness.)

A replacement is called with the machine whose program calls.  It must not raise: an exception cannot pass a C callback.  Calls of nobody's
program go to the real code.

Cost: a microsecond per call of such a function while a world is driven.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from . import running

__all__ = ["Native"]

_VARARGS, _NOARGS, _ONE_ARGUMENT, _FAST, _KEYWORDS, _CLASS = 0x01, 0x04, 0x08, 0x80, 0x02, 0x10

_object = ctypes.py_object
_array = ctypes.POINTER(ctypes.py_object)


class _MethodDef(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("code", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p))


class _BuiltinFunction(ctypes.Structure):
    _fields_ = (("references", ctypes.c_ssize_t), ("type", ctypes.c_void_p), ("definition", ctypes.POINTER(_MethodDef)))


class Native:
    """One C function, and what it does for hosts: `simulated(machine, self, arguments, keywords, real)`.

    `self` is the module or object that it is called on.  `real` calls the real code with the same arguments.
    """

    def __init__(self, function: Any, simulated: Callable[..., Any]) -> None:
        assert type(function).__name__ == "builtin_function_or_method", f"{function!r} is not a built-in function"
        self._definition = _BuiltinFunction.from_address(id(function)).definition.contents
        self._real_code = self._definition.code
        self._callback, self._convention = self._made(self._definition.flags & ~_CLASS, simulated)
        self._our_code = ctypes.cast(self._callback, ctypes.c_void_p).value

    def replace(self) -> None:
        """From now on hosts get what is simulated."""
        self._definition.code = self._our_code

    def restore(self) -> None:
        """Everybody gets the real one again."""
        self._definition.code = self._real_code

    def real(self, owner: object, *arguments: Any) -> Any:
        """Call the real code, of a function without or with one argument."""
        code = self._convention(self._real_code)
        return code(owner, *arguments) if arguments else code(owner, None)

    def _made(self, flags: int, simulated: Callable[..., Any]) -> tuple[Any, Any]:
        """The callback, and its calling convention."""
        if flags == _NOARGS:
            return self._without(simulated)
        if flags in (_ONE_ARGUMENT, _VARARGS):
            return self._with_one(simulated, packed=flags == _VARARGS)
        assert flags in (_FAST, _FAST | _KEYWORDS), f"calling convention {flags:#x} is not known"
        return self._fast(simulated, keywords=bool(flags & _KEYWORDS))

    def _without(self, simulated: Callable[..., Any]) -> tuple[Any, Any]:
        convention = ctypes.PYFUNCTYPE(_object, _object, ctypes.c_void_p)
        code = convention(self._real_code)

        def call(owner: Any, nothing: Any) -> Any:
            machine = running.machine()
            if machine is None:
                return code(owner, nothing)
            return simulated(machine, owner, (), {}, lambda: code(owner, nothing))

        return convention(call), convention

    def _with_one(self, simulated: Callable[..., Any], *, packed: bool) -> tuple[Any, Any]:
        convention = ctypes.PYFUNCTYPE(_object, _object, _object)
        code = convention(self._real_code)

        def call(owner: Any, argument: Any) -> Any:
            machine = running.machine()
            if machine is None:
                return code(owner, argument)
            arguments = argument if packed else (argument,)
            return simulated(machine, owner, arguments, {}, lambda *given: code(owner, given if packed else given[0]))

        return convention(call), convention

    def _fast(self, simulated: Callable[..., Any], *, keywords: bool) -> tuple[Any, Any]:
        names_too = (ctypes.c_void_p,) if keywords else ()
        convention = ctypes.PYFUNCTYPE(_object, _object, _array, ctypes.c_ssize_t, *names_too)
        code = convention(self._real_code)

        def call(owner: Any, array: Any, count: int, *names: int | None) -> Any:
            machine = running.machine()
            if machine is None:
                return code(owner, array, count, *names)
            named: tuple[str, ...] = ctypes.cast(names[0], _object).value if names and names[0] else ()
            values = [array[place] for place in range(count + len(named))]

            def real(*given: Any) -> Any:
                return code(owner, (_object * max(len(given), 1))(*given), len(given), *((None,) if keywords else ()))

            return simulated(machine, owner, tuple(values[:count]), dict(zip(named, values[count:], strict=True)), real)

        return convention(call), convention
