"""Histories for Porcupine's tests (`porcupine_test.go`), which read two kinds of file and nothing else.

Registers of natural numbers, as Jepsen's etcd test logged them, and stores of texts:

    INFO  jepsen.util - 0	:invoke	:cas	[1 2]
    {:process 0, :type :invoke, :f :put, :key "0", :value "x"}

Porcupine takes an operation whose end it does not see for one that may have happened, which is right for `info`.  It has no form for
one that certainly did not happen (a `fail`), but for compare-and-sets whose comparison failed.  So these are left out, and that does not
change what is right; and so are reads of which nobody knows an answer: they say nothing, of a store its parser would take them to
have found the key empty, and of a register they cost its search a thousandfold (measured).  Its processes never go on after an
unknown outcome, so each name gets a number of its own.  Its parsers take numbers of 63 bits and lines of less than 4,096 bytes, and say
nothing of others but panic, or take all larger numbers for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from ..history import Complete, History, Incident, Invoke, Operation, Outcome, Value, render
from .export import Export, ExportError, number_processes, renumbered, unseen

__all__ = ["export_porcupine"]

REGISTER = frozenset({"read", "write", "cas"})
STORE = frozenset({"get", "put", "append"})
GREATEST = (1 << 63) - 1
LONGEST_LINE = 4096
LONGEST_ERROR = 200
UNWRITABLE = re.compile(r'["\\\x00-\x1f\x7f\u0085\u2028\u2029\ud800-\udfff]')


def export_porcupine(history: History) -> Export:
    """The log of a register, or the lines of a store.

    Raises:
        ExportError: it is neither, or holds values that the format cannot; says which operation.
    """
    functions = sorted({operation.function for operation in history.operations})
    if REGISTER.issuperset(functions):
        line = _log_line
    elif STORE.issuperset(functions):
        line = _store_line
    else:
        raise _no_model(functions)
    unanswered = {one.id for one in history.operations if one.function in ("read", "get") and not one.ok}
    failed = {one.id for one in history.operations if one.id not in unanswered and _cannot_be_told(one)}
    if len(unanswered) + len(failed) == len(history.operations):
        raise ExportError("nothing would be left for Porcupine: every operation failed, or is a read without an answer")
    notes = [*unseen(history), *renumbered(number_processes(history))]
    if any(event.time for event in history):
        notes.append("times were left out")
    if unanswered:
        notes.append(f"reads of which nobody knows the answer were left out, as they say nothing ({len(unanswered)})")
    if failed:
        notes.append(f"operations that failed were left out: they did not happen, which the format cannot say ({len(failed)})")
    if any(one.function == "cas" and one.outcome is Outcome.FAIL and one.id not in failed for one in history.operations):
        notes.append("of a cas that failed Porcupine takes it that the comparison did (here: --option failed-cas-observes=true)")
    if any(isinstance(event, Incident) for event in history):
        notes.append("of what befell hosts only the names were written" if line is _log_line else "what befell hosts was left out")
    return Export([*_lines(history, unanswered | failed, line)], tuple(notes))


def _no_model(functions: Sequence[str]) -> ExportError:
    known = "Porcupine's tests read registers (read, write, cas) and stores (get, put, append)"
    others = [name for name in functions if name not in REGISTER | STORE]
    if others:
        return ExportError(f"{known}, and this has {others[0]}")
    both = f"{next(name for name in functions if name in REGISTER)} as well as {next(name for name in functions if name in STORE)}"
    return ExportError(f"{known}, and this has {both}")


def _cannot_be_told(operation: Operation) -> bool:
    if operation.outcome is not Outcome.FAIL:
        return False
    # A cas that failed for another reason than its comparison says nothing of the register.
    return operation.function != "cas" or operation.error is not None


def _lines(history: History, left_out: set[int], line: Callable[[Operation, int, str], str]) -> Iterator[bytes]:
    numbers = number_processes(history)
    for event in history:
        if isinstance(event, Invoke | Complete) and event.operation not in left_out:
            kind = "invoke" if isinstance(event, Invoke) else event.outcome.value
            operation = history.operation(event.operation)
            written = line(operation, numbers[event.process], kind).encode() + b"\n"
            if len(written) >= LONGEST_LINE:
                raise _refused(operation, f"its line would have {len(written)} bytes, and Porcupine reads less than {LONGEST_LINE}")
            yield written
        elif isinstance(event, Incident) and line is _log_line and " " not in event.kind:
            yield f"INFO  jepsen.util - :nemesis\t:info\t:{event.kind}\tnil\n".encode()


def _log_line(operation: Operation, process: int, kind: str) -> str:
    function, argument = operation.function, operation.argument
    if function == "cas":
        if not isinstance(argument, tuple) or len(argument) != 2:
            raise _refused(operation, "the argument of a cas is a pair")
        value = f"[{_natural(operation, argument[0])} {_natural(operation, argument[1])}]"
    elif function == "write":
        value = _natural(operation, argument)
    else:
        value = _natural(operation, operation.result) if kind == "ok" and operation.result is not None else "nil"
    why = f"\t:{_one_line(operation.error)}" if operation.error and kind == "info" else ""
    return f"INFO  jepsen.util - {process}\t:{kind}\t:{function}\t{value}{why}"


def _natural(operation: Operation, value: Value) -> str:
    if type(value) is not int or not 0 <= value <= GREATEST:
        keys = " (of a history of several keys it takes one log per key)" if isinstance(value, tuple) else ""
        raise _refused(operation, f"{render(value)} is none of the natural numbers of 63 bits that its registers hold{keys}")
    return str(value)


def _store_line(operation: Operation, process: int, kind: str) -> str:
    argument = operation.argument
    if operation.function == "get":
        key, value = argument, "nil" if kind != "ok" else _text(operation, "" if operation.result is None else operation.result)
    elif isinstance(argument, tuple) and len(argument) == 2:
        key, value = argument[0], _text(operation, argument[1])
    else:
        raise _refused(operation, "the argument is no pair of key and value")
    return f"{{:process {process}, :type :{kind}, :f :{operation.function}, :key {_text(operation, key)}, :value {value}}}"


def _text(operation: Operation, value: Value) -> str:
    if not isinstance(value, str) or UNWRITABLE.search(value):
        raise _refused(operation, f"{render(value)} is none of the plain texts that its stores hold")
    return f'"{value}"'


def _one_line(error: str) -> str:
    return UNWRITABLE.sub(" ", error).strip()[:LONGEST_ERROR]


def _refused(operation: Operation, why: str) -> ExportError:
    return ExportError(f"Porcupine's format cannot hold operation {operation.id}, {operation.describe()}: {why}")
