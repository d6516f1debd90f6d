"""The command line: one module per command, imported only when it is the one that was asked for.

What every command keeps to: results go to standard output, progress and complaints to standard error; with `--json` standard
output holds one JSON document and nothing else.  Exit codes: 0 valid, 1 a property failed, 2 unknown, 3 bad input or usage, 130
interrupted. Bad input is answered with one sentence, never with a traceback; so every error that a reader of files or
references may raise is a subclass of `ValueError` or `LookupError` of ours, and is caught here and nowhere else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from .arguments import BAD_INPUT, INTERRUPTED, parse

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    try:
        options = parse(arguments)
    except SystemExit as ended:  # argparse: help was shown, or the usage was wrong
        return int(ended.code or 0)
    if getattr(options, "escapes", None):
        os.environ["KILLPOINT_ESCAPES"] = options.escapes  # processes that are started inherit it
    # A scenario is found from the folder one stands in, as `python -m` and pytest find modules.
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    command = import_module(f".{options.command}", __package__)
    try:
        return int(command.run(options))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201  # a command line's last word
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has gone, so nobody reads complaints either
        return 0
    except Exception as error:
        from .errors import is_bad_input  # noqa: PLC0415  # knows every reader, so it is heavy

        if not is_bad_input(error):
            raise
        print(f"killpoint: {error}", file=sys.stderr)  # noqa: T201
        return BAD_INPUT
