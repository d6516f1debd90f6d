"""Checking a recorded history: what `killpoint check` does, without the terminal.

The deadline is in wall-clock seconds, because that is what somebody who waits for an answer means; a verdict that it cut short is
`unknown` and says that it depends on the machine.  Reading the file does not count.
"""

from __future__ import annotations

import time
from pathlib import Path

from .properties.independent import split_by_key
from .properties.ledger import IssuanceLedger
from .properties.linearizability import Linearizable
from .properties.readers import ReadError, read_history
from .properties.registers import CasRegister, MultiRegister, Register
from .properties.specification import Specification, SpecificationError, UnknownFunctionError
from .properties.stores import KeyValue, Mutex
from .properties.verdict import Verdict

__all__ = ["MODELS", "ReadError", "UnknownModelError", "check_file"]

MODELS: dict[str, Specification] = {
    "register": Register(),
    "cas-register": CasRegister(),
    "kv": KeyValue(),
    "mutex": Mutex(),
    "multi-register": MultiRegister(),
    "issuance-ledger": IssuanceLedger(),
}
"""Sequential specifications by the name that `--model` takes."""


class UnknownModelError(ValueError):
    """There is no model of this name; says which ones there are."""


def check_file(path: str | Path, model_name: str, timeout: float | None = 60.0) -> Verdict:
    """Decide whether the history in a file is linearizable for a model, in at most about `timeout` seconds (None: no limit).

    A history of many registers, whose values are pairs of key and value, is judged key by key; the verdict's name says so.

    Raises:
        UnknownModelError: there is no such model.
        ReadError: the file cannot be read as a history, or it has operations that the model does not know.
    """
    if model_name not in MODELS:
        raise UnknownModelError(f"there is no model {model_name!r}: choose one of {', '.join(MODELS)}")
    specification = MODELS[model_name]
    history = read_history(path)
    if isinstance(specification, Register | CasRegister):
        specification = split_by_key(specification, history.operations)
    ends = None if timeout is None else time.monotonic() + timeout
    try:
        return Linearizable(specification, budget=None).judge(
            history.operations, None if ends is None else lambda: time.monotonic() > ends
        )
    except UnknownFunctionError as error:
        raise ReadError(f"{error}: is it a history of another model ({', '.join(MODELS)})?", str(path)) from None
    except SpecificationError as error:
        raise ReadError(str(error), str(path)) from None
