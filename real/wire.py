"""Frames: how the processes of one real run talk, to each other and to their supervisor.

A frame is a length (4 bytes, big-endian) and a pickle, so that bodies may be whatever the simulator lets programs send: enums and
frozen structs keep their types.  A pickle can run code; so nothing is unpickled from a connection that has not first said the run's
secret, which only the supervisor's own children are given.  A frame that was cut off by a kill is dropped.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from socket import socket
from struct import Struct
from typing import Any

__all__ = ["LONGEST", "SECRET_SIZE", "FrameError", "Frames", "frame", "receive"]

LONGEST = 1 << 28
"""Bytes of the longest frame."""

SECRET_SIZE = 32
"""Bytes."""

_length = Struct(">I")


class FrameError(TypeError):
    """What came is no frame: says what is wrong with it."""


def frame(value: object) -> bytes:
    """One frame.

    Raises:
        FrameError: it is too long, or holds what other processes do not know.
    """
    try:
        body = pickle.dumps(value, protocol=5)
    except Exception as error:
        said = f"{error}: define its class at the top of a module"
        raise FrameError(f"this cannot travel between real processes: {said}") from error
    if len(body) > LONGEST:
        raise FrameError(f"a frame of {len(body):,} bytes is longer than {LONGEST:,}")
    return _length.pack(len(body)) + body


class Frames:
    """Makes frames of bytes as they come."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes | bytearray) -> Iterator[Any]:
        """The frames that are complete with these bytes.

        Raises:
            FrameError: the other side says a length that nobody would.
        """
        self._bytes += data
        while len(self._bytes) >= _length.size:
            (length,) = _length.unpack_from(self._bytes)
            if length > LONGEST:
                raise FrameError(f"a frame claims to have {length:,} bytes")
            end = _length.size + length
            if len(self._bytes) < end:
                return
            body = bytes(memoryview(self._bytes)[_length.size : end])
            del self._bytes[:end]
            yield pickle.loads(body)  # noqa: S301  # of a process that has said the secret


def receive(source: socket) -> Any:
    """One frame from a blocking socket.

    Raises:
        EOFError: the other side has gone.
    """
    (length,) = _length.unpack(_exactly(source, _length.size))
    return pickle.loads(_exactly(source, length))  # noqa: S301  # of the supervisor


def _exactly(source: socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = source.recv(size - len(data))
        if not piece:
            raise EOFError("the supervisor has gone")
        data += piece
    return data
