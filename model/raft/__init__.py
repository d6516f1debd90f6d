"""Raft: a core without input and output (`core`), its storage, and a thin trio shell over the Host protocol (`node`)."""

from .config import Config
from .core import Raft
from .effects import Committed, Effects, HardState, Persist, Read, Saved
from .log import Log
from .messages import Append, AppendReply, Entry, RaftMessage, VoteReply, VoteRequest
from .node import Applied, LeadershipLostError, NotLeaderError, RaftNode, StateMachine
from .role import Role
from .sessions import Request, SessionTable
from .storage import RaftStorage

__all__ = [
    "Append",
    "AppendReply",
    "Applied",
    "Committed",
    "Config",
    "Effects",
    "Entry",
    "HardState",
    "LeadershipLostError",
    "Log",
    "NotLeaderError",
    "Persist",
    "Raft",
    "RaftMessage",
    "RaftNode",
    "RaftStorage",
    "Read",
    "Request",
    "Role",
    "Saved",
    "SessionTable",
    "StateMachine",
    "VoteReply",
    "VoteRequest",
]
