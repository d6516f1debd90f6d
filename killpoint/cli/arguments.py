"""What the command line accepts.  Imports nothing of ours, so that `killpoint --help` answers at once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

__all__ = ["BAD_INPUT", "FAILED", "INTERRUPTED", "UNKNOWN", "VALID", "UsageError", "parse"]

VALID, FAILED, UNKNOWN, BAD_INPUT, INTERRUPTED = 0, 1, 2, 3, 130

_CODES = "exit codes: 0 valid, 1 a property failed, 2 unknown, 3 bad input or usage, 130 interrupted"
_SCENARIO = "a scenario's name (see `killpoint scenarios`), or path/to/file.py:ClassName, or package.module:ClassName"
_GAPS = "indices may be missing: operations were left out on purpose"
_FAULTS = "instead of the scenario's own: all, or kinds with commas between (see `killpoint faults`)"


class UsageError(ValueError):
    """Arguments that make no sense together: says which."""


class _Parser(argparse.ArgumentParser):
    """Exits with 3 where argparse would exit with 2, which here means `unknown`."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message}; see {self.prog} --help\n")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; `command` names the module of this package that carries it out.

    Raises:
        SystemExit: help or the version was shown (0), or the usage is wrong (3).
    """
    parser = _Parser(prog="killpoint", description="Break a simulated cluster until a property fails, and say why.", epilog=_CODES)
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    _explore(commands.add_parser("explore", help="run schedule after schedule until a property fails", epilog=_CODES))
    _run(commands.add_parser("run", help="run one schedule, simulated or on real processes", epilog=_CODES))
    _replay(commands.add_parser("replay", help="run a saved schedule again and look at it", epilog=_CODES))
    _shrink(commands.add_parser("shrink", help="go on shrinking a failing schedule", epilog=_CODES))
    _check(commands.add_parser("check", help="decide whether a recorded history is right", epilog=_CODES))
    _convert(commands.add_parser("convert", help="write a history in another format", epilog=_CODES))
    _determinism(commands.add_parser("determinism", help="check that a scenario's runs do not differ", epilog=_CODES))
    scenarios = commands.add_parser("scenarios", help="list the installed scenarios")
    mutants = commands.add_parser("mutants", help="list the planted bugs")
    mutants.add_argument("scenario", nargs="?", metavar="SCENARIO", help="only of this scenario")
    faults = commands.add_parser("faults", help="list the kinds of fault, or tell of one")
    faults.add_argument("kind", nargs="?", metavar="KIND", help="what it models, what may still be asserted, its parameters")
    for command in (scenarios, mutants, faults):
        command.add_argument("--json", action="store_true", help="one JSON document on standard output")
    for name in ("explore", "run", "replay", "shrink", "determinism"):
        commands.choices[name].add_argument(
            "--escapes",
            choices=("error", "warn"),
            help="where a simulated host reaches the real world: end it with an error (default), or let it, and count",
        )
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.error(f"a command is missing: {', '.join(commands.choices)}")
    return options


def _explore(command: argparse.ArgumentParser) -> None:
    command.add_argument("scenario", metavar="SCENARIO", help=_SCENARIO)
    command.add_argument("--seed", type=_integer, default=0, metavar="N", help="the campaign's seed (default 0)")
    command.add_argument("--examples", type=_count, default=300, metavar="N", help="schedules up to this number (default 300)")
    command.add_argument("--start", type=_count, default=0, metavar="N", help="go on with the N-th schedule of the seed")
    command.add_argument("--mutant", metavar="NAME", help="plant a bug (see `killpoint mutants`)")
    command.add_argument(
        "--budget",
        choices=("quorum-safe", "unlimited"),
        help="faults only as far as the system promises to survive them, or any; without it schedules draw either",
    )
    command.add_argument("--faults", metavar="KINDS", help=_FAULTS)
    command.add_argument("--out", type=Path, default=Path(".killpoint"), metavar="DIR", help="where failures go (default .killpoint)")
    command.add_argument("--json", action="store_true", help="one JSON document on standard output")


def _run(command: argparse.ArgumentParser) -> None:
    command.add_argument("scenario", metavar="SCENARIO", help=f"{_SCENARIO}, or the file of a schedule, ending in .json")
    command.add_argument("--real", type=Path, metavar="DIR", help="on operating-system processes, with their files in DIR")
    command.add_argument("--seed", type=_integer, metavar="N", help="the campaign's seed (default 0)")
    command.add_argument("--number", type=_count, metavar="N", help="which of its schedules (default 0)")
    command.add_argument("--mutant", metavar="NAME", help="plant a bug (see `killpoint mutants`)")
    command.add_argument("--budget", choices=("quorum-safe", "unlimited"), help="without it the schedule draws either")
    command.add_argument("--html", type=Path, metavar="OUT", help="write the space-time diagram as a page")
    command.add_argument("--json", action="store_true", help="one JSON document on standard output")


def _replay(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="a schedule")
    command.add_argument("--until", metavar="T", help="only up to this virtual time (3.2s, 350ms), with the state of every host then")
    command.add_argument("--all", action="store_true", help="every event, messages and disk operations too")
    command.add_argument("--html", type=Path, metavar="OUT", help="write the space-time diagram as a page")
    command.add_argument("--json", action="store_true", help="one JSON document on standard output")


def _shrink(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="a failing schedule")
    command.add_argument("--runs", type=_count, default=3000, metavar="N", help="how many runs it may take (default 3000)")


def _check(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a recorded history")
    command.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="what it is a history of (see --list), or a specification of your own: file.py:Name; several with commas, or given again",
    )
    for_what = "of a model, for example total=100 of bank or initial=0 of register"
    command.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help=for_what)
    command.add_argument("--isolation", metavar="LEVEL", help="of transactions, for example serializable (default strict-serializable)")
    command.add_argument(
        "--consistency",
        metavar="NAME",
        help="instead of linearizable: sequential, regular, strong-regular, safe, k-atomic=K, staleness=SECONDS, causal, "
        "or a guarantee to sessions (read-your-writes, monotonic-reads, monotonic-writes, writes-follow-reads)",
    )
    command.add_argument("--list", action="store_true", help="list the models")
    command.add_argument("--timeout", type=_seconds, default=60.0, metavar="S", help="give up after S seconds (default 60)")
    command.add_argument("--gaps", action="store_true", help=_GAPS)
    command.add_argument("--html", type=Path, metavar="OUT", help="draw the history, with the order found or why there is none, as a page")
    command.add_argument("--memory", type=_megabytes, metavar="MB", help="give up when it takes more (default: half of what is available)")
    command.add_argument("--json", action="store_true", help="one JSON document on standard output")


def _convert(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="a history in any format that check reads")
    command.add_argument("out", type=Path, metavar="OUT", help="where the other goes")
    command.add_argument(
        "--to",
        choices=("jsonl", "edn", "elle", "porcupine"),
        required=True,
        help="our own JSON Lines; history.edn for Jepsen, Knossos and Elle; JSON for elle-cli; what Porcupine's tests read",
    )
    command.add_argument("--gaps", action="store_true", help=_GAPS)


def _determinism(command: argparse.ArgumentParser) -> None:
    command.add_argument("scenario", metavar="SCENARIO", help=_SCENARIO)
    command.add_argument("--seeds", type=_count, default=100, metavar="N", help="how many schedules (default 100)")
    command.add_argument("--start", type=_count, default=0, metavar="N", help="the first of them (default 0)")
    command.add_argument("--seed", type=_integer, default=0, metavar="N", help="the campaign's seed (default 0)")
    command.add_argument("--mutant", metavar="NAME", help="plant a bug")
    command.add_argument("--faults", metavar="KINDS", help=_FAULTS)
    command.add_argument("--python", type=Path, metavar="EXE", help="run the second process with this interpreter, which has Killpoint too")
    command.add_argument("--json", action="store_true", help="one JSON document on standard output")


class _Version(argparse.Action):
    """Reading the version from the installed metadata takes longer than all the rest of this module."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415

        print(f"killpoint {version('killpoint')}")  # noqa: T201  # a result, so on standard output
        parser.exit(0)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def _integer(text: str) -> int:
    value = _whole(text)
    if not -(2**63) <= value < 2**63:
        raise argparse.ArgumentTypeError(f"{text} does not fit into 64 bits")
    return value


def _count(text: str) -> int:
    value = _whole(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if float(text) > 0:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text} is no positive number of seconds")


def _megabytes(text: str) -> float:
    with suppress(ValueError):
        if float(text) > 0:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text} is no positive number of megabytes")
