"""Carrying out an operation: how it ends is what the client knows (see `scenario.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio

from ..properties.history import Outcome, Value
from .scenario import Failed, OperationSpec, Scenario, Unknown

__all__ = ["carry_out"]


async def carry_out(
    scenario: Scenario, spec: OperationSpec, client: Any, arguments: Mapping[str, Value]
) -> tuple[Outcome, Value, str | None]:
    """Call an operation on a client; how it ended, its result, and why it is not `ok`.

    Raises:
        Exception: whatever else its code raised, which is a bug in it.
    """
    try:
        with trio.fail_after(spec.timeout):
            return Outcome.OK, await spec.function(scenario, client, **arguments), None
    except Failed as failed:
        return Outcome.FAIL, None, str(failed) or "failed"
    except Unknown as unknown:
        return Outcome.INFO, None, str(unknown) or "unknown"
    except trio.TooSlowError:
        return Outcome.INFO, None, "timed out"
