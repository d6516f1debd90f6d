"""Raft: a core without input and output (`core`), its storage, and a thin trio shell over the Host protocol (`node`)."""

from .config import Config
from .core import Raft, Role
from .effects import Effects, HardState, Persist, Read, Saved
from .log import Log
from .messages import Append, AppendReply, Entry, RaftMessage, VoteReply, VoteRequest

__all__ = [
    "Append",
    "AppendReply",
    "Config",
    "Effects",
    "Entry",
    "HardState",
    "Log",
    "Persist",
    "Raft",
    "RaftMessage",
    "Read",
    "Role",
    "Saved",
    "VoteReply",
    "VoteRequest",
]
