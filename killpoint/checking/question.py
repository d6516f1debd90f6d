"""What somebody asks of a history: which models it is to be held to, how strictly, and with which parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Self

import msgspec

from ..properties.consistency import GUARANTEES
from ..properties.isolation import LEVELS, WORKLOADS, Isolation
from ..properties.specification import Specification
from ..properties.workloads import Workload
from .catalog import CHECKERS, CONSISTENCY, MODELS, TRANSACTIONS, Configurable, UnknownModelError, models, options_of
from .own import is_reference, own_model

__all__ = ["Question"]


@dataclass(frozen=True)
class Question:
    """The models to hold a history to, each once, by name: it is in one of the three tables.

    `consistency` (see `CONSISTENCY`) is what specifications are held to instead of linearizability, and transactions instead of a level.
    """

    names: tuple[str, ...]
    specifications: Mapping[str, Specification]
    checkers: Mapping[str, Workload]
    transactions: Mapping[str, Isolation]
    consistency: str | None = None

    @classmethod
    def of(
        cls,
        model: str,
        isolation: str | None = None,
        consistency: str | None = None,
        options: Mapping[str, str] | None = None,
    ) -> Self:
        """The question that these words ask.

        Raises:
            UnknownModelError: there is no such model, level, consistency or option, or they do not go together; or a specification
                of the user's own cannot be made.
        """
        names = tuple(dict.fromkeys(name.strip() for name in model.split(",")))
        for name in names:
            if name not in models() and not is_reference(name):
                near = get_close_matches(name, models())
                hint = f"did you mean {' or '.join(near)}?" if near else f"choose one of {', '.join(models())}"
                raise UnknownModelError(f"there is no model {name!r}: {hint}")
        if isolation is not None:
            _check_isolation(isolation, names)
        if consistency is not None:
            _check_consistency(consistency, names, isolation)
        own = {name: own_model(name) for name in names if is_reference(name)}
        levels = {name: replace(prop, level=isolation or prop.level) for name, prop in TRANSACTIONS.items()}
        known: dict[str, Configurable] = {**MODELS, **CHECKERS, **levels}
        made = {**own, **_configured({name: known[name] for name in names if name in known}, options or {})}
        return cls(
            names,
            {name: model for name, model in made.items() if name in MODELS or name in own},
            {name: model for name, model in made.items() if name in CHECKERS},
            {name: model for name, model in made.items() if name in TRANSACTIONS},
            None if consistency == "linearizable" else consistency,
        )


def _check_isolation(isolation: str, names: Sequence[str]) -> None:
    if isolation not in LEVELS:
        raise UnknownModelError(f"there is no level of isolation {isolation!r}: choose one of {', '.join(LEVELS)}")
    if not any(name in WORKLOADS for name in names):
        what = f"a level of isolation is for transactions ({' and '.join(WORKLOADS)})"
        raise UnknownModelError(f"{what}, and {' and '.join(names)} is none of them")


def _check_consistency(consistency: str, names: Sequence[str], isolation: str | None) -> None:
    kind, given, value = consistency.partition("=")
    if kind not in CONSISTENCY:
        raise UnknownModelError(f"there is no consistency {consistency!r}: choose one of {', '.join(CONSISTENCY)}")
    if isolation is not None:
        raise UnknownModelError("transactions are held to a level of isolation or sessions to a guarantee: give one of the two")
    if any(name in WORKLOADS for name in names) and kind not in GUARANTEES:
        what = f"of transactions sessions may have guarantees ({', '.join(GUARANTEES)}), and for all else there are levels of isolation"
        raise UnknownModelError(f"{what}: {kind} is neither")
    if all(name in CHECKERS for name in names):
        raise UnknownModelError(f"a consistency is for specifications and transactions, and {' and '.join(names)} is neither")
    if kind == "k-atomic" and not (value.isascii() and value.isdigit() and int(value[:9]) > 0):
        raise UnknownModelError(f"how many versions? k-atomic=2, say, and not {consistency!r}")
    if kind == "staleness" and not _is_time(value):
        raise UnknownModelError(f"how many seconds? staleness=0.5, say, and not {consistency!r}")
    if given and kind not in ("k-atomic", "staleness"):
        raise UnknownModelError(f"{kind} takes no number")


def _is_time(text: str) -> bool:
    try:
        return 0 <= float(text) < float("inf")
    except ValueError:
        return False


def _configured(models: Mapping[str, Configurable], options: Mapping[str, str]) -> dict[str, Configurable]:
    """The models, each with the options that are its own."""
    made = {**models}
    for option, text in options.items():
        owners = [name for name in made if option.replace("_", "-") in options_of(made[name])]
        if not owners:
            have = [f"{name} has {', '.join(options_of(model)) or 'none'}" for name, model in made.items()]
            told = "; ".join(have) or "a specification of your own takes none"
            raise UnknownModelError(f"there is no option {option!r}: {told}")
        for name in owners:
            try:
                made[name] = _with(made[name], options_of(made[name])[option.replace("_", "-")], text)
            except ValueError as error:
                raise UnknownModelError(f"{name} cannot have the option {option}={text}: {error}") from None
    return made


def _with(model: Configurable, field: str, text: str) -> Configurable:
    """The model with a field set, from a word.

    Raises:
        ValueError: the word is no such value.
    """
    kind = next(str(one.type) for one in fields(model) if one.name == field)
    value: object = text
    if kind.startswith("bool"):
        if text not in ("true", "false"):
            raise ValueError("it is true or false")
        value = text == "true"
    elif kind.startswith("int"):
        value = _number(int, text, "a whole number")
    elif kind.startswith("float"):
        value = _number(float, text, "a number")
    elif kind.startswith("frozenset"):
        value = frozenset(text.split(","))
    elif kind == "Value":
        value = _atom(text)
    return replace(model, **{field: value})


def _atom(text: str) -> object:
    """A number, true, false or nil as EDN and JSON have them, or a text, in quotes or not."""
    if text == "nil":
        return None
    try:
        value: object = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    if isinstance(value, list | dict):
        raise ValueError("it is a number, a text, true, false or nil")  # noqa: TRY004  # callers catch ValueError
    return value


def _number(kind: Callable[[str], float], text: str, what: str) -> float:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"it is {what}") from None
