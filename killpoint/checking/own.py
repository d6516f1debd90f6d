"""Sequential specifications of one's own by reference: `package.module:Name` or `path/to/file.py:Name`, as scenarios are found.

`Name` is a class that can be made without arguments, or a specification.  It is judged with care (`properties/guard.py`): if it fails,
that is a sentence with the line in its file, and no verdict.
"""

from __future__ import annotations

import traceback
from pathlib import Path

from ..properties.specification import Specification
from .catalog import UnknownModelError

__all__ = ["is_reference", "own_model"]

_BASE = "killpoint.properties.Specification"


def is_reference(name: str) -> bool:
    """True if a model's name is the place of one's own."""
    return ":" in name or name.endswith(".py")


def own_model(reference: str) -> Specification:
    """The specification at this place.

    Raises:
        UnknownModelError: there is nothing, or it is no specification, or it fails when it is imported or made; says where.
    """
    from ..explore.catalog import module_of  # noqa: PLC0415  # knows the simulator, which is not needed otherwise

    place, _, name = reference.rpartition(":")
    if not place or not name:
        raise UnknownModelError(f"{reference!r} says no name: a specification of your own is file.py:Name or package.module:Name")
    try:
        module = module_of(place)
    except Exception as error:  # a module may raise anything while it is imported
        raise UnknownModelError(f"the model {reference!r} cannot be loaded: {_told(error, place)}") from error
    found: object = module
    for part in name.split("."):
        if not hasattr(found, part):
            own = [each for each in dir(module) if _is_specification(getattr(module, each)) and not each.startswith("_")]
            have = f"its specifications: {', '.join(own)}" if own else f"nothing in it derives from {_BASE}"
            raise UnknownModelError(f"{place} has nothing called {name!r}; {have}")
        found = getattr(found, part)
    if isinstance(found, type) and not getattr(found, "__abstractmethods__", None):
        try:
            found = found()
        except Exception as error:
            needs = f"{name}() fails"
            if isinstance(error, TypeError) and _frame(error, place) is None:
                needs = f"{name} needs arguments: give one that is made a name, such as `mine = {name}(...)`, and name that"
            raise UnknownModelError(f"the model {reference!r}: {needs}: {_told(error, place)}") from error
    missing = [each for each in ("initial", "step") if not _has(found, each)]
    if missing:
        what = f"{name} is no specification, as it has no {' and no '.join(missing)}"
        raise UnknownModelError(f"the model {reference!r}: {what}: derive it from {_BASE}")
    return found  # type: ignore[return-value]  # it has what it needs; `guard` sees to the rest


def _is_specification(found: object) -> bool:
    """True for a specification that is not one of ours that was imported, or such a class."""
    kind = found if isinstance(found, type) else type(found)
    return Specification in kind.__mro__ and not kind.__module__.startswith("killpoint.")


def _has(found: object, name: str) -> bool:
    """Whether something of this name is there, even if asking for it fails; a declaration in a protocol is none."""
    kinds = (found if isinstance(found, type) else type(found)).__mro__
    if any(name in vars(kind) for kind in kinds if kind is not Specification):
        return True
    return name in getattr(found, "__dict__", {})


def _told(error: Exception, place: str) -> str:
    frame = _frame(error, place)
    where = f" ({frame.filename}, line {frame.lineno})" if frame is not None else ""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{said}{where}"


def _frame(error: Exception, place: str) -> traceback.FrameSummary | None:
    """The innermost frame in the author's own code."""
    stem = Path(place).stem if place.endswith(".py") else place.rpartition(".")[2]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) != Path(__file__)]
    return next((frame for frame in reversed(frames) if Path(frame.filename).stem == stem), None)
