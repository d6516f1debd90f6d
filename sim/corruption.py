"""What a message becomes when a bit of it flips on the way and nobody checks."""

from __future__ import annotations

from ..properties.history import Value

__all__ = ["corrupted"]


def corrupted(value: Value, number: int) -> Value:
    """The value with one of its parts slightly other, which one and how `number` decides; None and what is empty stay as they are.

    What it is made of stays: a receiver can take it apart, and finds a wrong number, letter, bit or truth.
    """
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value ^ (1 << number % 8)
    if isinstance(value, float):
        return -value if value else 1.0
    if isinstance(value, str | bytes | tuple | list) and not value:
        return value
    if isinstance(value, bytes):
        place = number // 8 % len(value)
        return value[:place] + bytes([value[place] ^ (1 << number % 8)]) + value[place + 1 :]
    if isinstance(value, str):
        place = number % len(value)
        return value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :]
    if isinstance(value, tuple | list):
        place, rest = number % len(value), number // len(value)
        parts = [corrupted(part, rest) if at == place else part for at, part in enumerate(value)]
        return tuple(parts) if isinstance(value, tuple) else parts
    if isinstance(value, dict) and value:
        chosen = list(value)[number % len(value)]
        return {key: corrupted(part, number // len(value)) if key == chosen else part for key, part in value.items()}
    return value
