"""A streaming reader of EDN (https://github.com/edn-format/edn), for the part of it that histories are written in.

A file is either a sequence of forms or one vector (or list) of them; both give their elements one by one, so that a history of
any length is read in constant memory.  Values become ours:

=========================  =====================================
nil, true, false           None, True, False
integers, floats           int, float
ratios, decimals (`1.1M`)  int or float where that is exact, else Fraction
strings, characters        str
keywords, symbols          str, without the colon
vectors, lists             tuple
sets                       tuple, sorted by representation
maps                       tuple of (key, value), sorted likewise; an element itself: a dict
tagged values              the value, without its tag; bytes for our own `#killpoint/bytes "00ff"`
metadata (`^{...}`)        nothing, as what is discarded
=========================  =====================================

Tokens are found by one regular expression over blocks of text, which is what makes it fast (about a microsecond per token); line
numbers are only counted when an error needs one.  Nesting, the length of a token and the size of a number are bounded.
`edn_format` is the oracle in the tests.  What EDN leaves open is refused where it could be misread: a key that stands in a map
twice, a number that begins with 0.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Protocol, TypeAlias

from ..history import Value
from .errors import ReadError

__all__ = ["BYTES", "EdnReader", "Form", "Text", "as_value", "parse_values"]

Form: TypeAlias = "Value | dict[Value, Value]"
"""An element of the file: a dict if it is a map, else a value."""

BLOCK = 1 << 18
LONGEST_TOKEN = 1 << 22
DEEPEST = 64
MOST_DIGITS = 1000
CACHED_ATOMS, LONGEST_CACHED = 4096, 64

_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+'
# An unterminated string runs to the end of the block.  A character is a backslash and one more, whatever it is.
TOKEN = re.compile(
    rf';[^\n]*|{_STRING}(?:"|\\?\Z)|#[_{{]|[\[\](){{}}]|\\.[^\s,;"()\[\]{{}}]*|\\\Z|[^\s,;"()\[\]{{}}]+',
    re.DOTALL,
)
WHOLE_STRING = re.compile(rf'{_STRING}"', re.DOTALL)
INTEGER = re.compile(r"[+-]?(?:0|[1-9]\d*)N?", re.ASCII)
HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F]+", re.ASCII)
FLOAT = re.compile(r"[+-]?(?:0|[1-9]\d*)(\.\d*)?([eE][+-]?\d{1,9})?(M?)", re.ASCII)
RATIO = re.compile(r"([+-]?(?:0|[1-9]\d*))/([1-9]\d*)", re.ASCII)
SYMBOL = re.compile(r"[^\d\x00-\x20\\#\x7f'@~`^][^\x00-\x20\\\x7f]*")
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "b": "\b", "f": "\f"}
CHARACTERS = {"newline": "\n", "return": "\r", "space": " ", "tab": "\t", "formfeed": "\f", "backspace": "\b"}
NUMBERS: dict[str, Value] = {"##Inf": float("inf"), "##-Inf": float("-inf"), "##NaN": float("nan")}
SPECIAL: dict[str, Value] = {"nil": None, "true": True, "false": False, **NUMBERS}
CLOSERS = {"[": "]", "(": ")", "{": "}", "#{": "}"}
BRACKETS = frozenset({"[", "]", "(", ")", "{", "}", "#{", "#_"})

CONTROL = re.compile(r"[\x00-\x20\x7f]")
HEXADECIMAL_DIGITS = frozenset("0123456789abcdefABCDEF")
MISSING = object()
DISCARD, METADATA, BYTES = "#_", "^", "#killpoint/bytes"
LARGEST_EXPONENT = 400


class Text(Protocol):
    """Whatever gives bytes of UTF-8 text, b"" at the end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, about as many as that."""


class EdnReader:
    """Elements of an EDN file, one by one: iterate over it.  `line` is where the reader stands, for errors.
    Without `spread` a vector at the top is one element.

    Raises:
        ReadError: while iterating; the text is no EDN, ends too early, or is no UTF-8.
    """

    def __init__(self, file: Text, path: str, *, spread: bool = True) -> None:
        self._began = False
        self._spread = spread
        self._file = file
        self._path = path
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._lines_before = 1
        self._block = ""
        self._carried = ""
        self._tokens: list[str] = []
        self._at = 0
        self._atoms: dict[str, Value] = dict(SPECIAL)
        self._idle = True

    @property
    def line(self) -> int:
        """The line of the token that was read last.  Costs a scan of the current block."""
        for position, match in enumerate(TOKEN.finditer(self._block)):
            if position == self._at:
                return self._lines_before + self._block.count("\n", 0, match.start())
        return self._lines_before + self._block.count("\n")

    @property
    def idle(self) -> bool:
        """True if the reader stands between two elements and has read nothing ahead, so that somebody else may take the next lines."""
        return self._idle

    def pass_over(self, lines: int) -> None:
        """Somebody else took this number of lines, with elements in them."""
        self._began = True
        self._lines_before += self._block.count("\n") + lines
        self._block, self._tokens, self._at = "", [], 0

    def error(self, what: str) -> ReadError:
        """The error for something wrong with the element that was read last."""
        return ReadError(what, self._path, self.line)

    def __iter__(self) -> Iterator[Form]:
        stack: list[tuple[str, list[Value]]] = []
        prefixes: list[tuple[int, str]] = []
        base, ended = 0, False
        atoms = self._atoms
        while self._next_block():
            final = len(self._tokens) - 1
            for at, token in enumerate(self._tokens):
                value = atoms.get(token, MISSING)
                if value is MISSING:
                    if token[0] == ";":
                        continue
                    self._at = at
                    if ended and token not in (DISCARD, METADATA):
                        raise self.error(f"there is something after the end of the history: {_excerpt(token)}")
                    if token in CLOSERS:
                        if self._spread and not self._began and not prefixes and token in ("[", "("):
                            base = 1
                        self._began = True
                        stack.append((token, []))
                        if len(stack) > DEEPEST:
                            raise self.error(f"more than {DEEPEST} brackets are nested")
                        continue
                    if token in BRACKETS and token != DISCARD:
                        value = self._close(token, stack, prefixes)
                        if base == 1 and not stack:
                            ended = True
                            continue
                    elif token[0] == "#" and token[:2] != "##":
                        prefixes.append((len(stack), DISCARD if token == DISCARD else self._tag(token)))
                        continue
                    elif token == METADATA:
                        prefixes.append((len(stack), DISCARD))
                        continue
                    elif token[0] == METADATA:
                        self._atom(token[1:])
                        continue
                    else:
                        value = self._atom(token)
                elif ended:
                    self._at = at
                    raise self.error(f"there is something after the end of the history: {_excerpt(token)}")
                while prefixes and prefixes[-1][0] == len(stack):
                    tag = prefixes.pop()[1]
                    if tag == DISCARD:
                        value = MISSING
                        break
                    if tag == BYTES:
                        value = self._bytes(value)
                if value is MISSING:
                    continue
                self._began = True
                if len(stack) > base:
                    stack[-1][1].append(as_value(value))
                else:
                    self._at = at
                    # A file that trickles in by lines has nothing more in this one, and nothing is open.
                    self._idle = at == final and not prefixes and not self._carried
                    yield value
                    self._idle = False
        self._at = len(self._tokens)
        if stack:
            raise self.error(f"the file ends inside a {stack[-1][0]!r} that was opened: it seems to be truncated")
        if prefixes:
            raise self.error("the file ends after a tag: it seems to be truncated")

    def _next_block(self) -> bool:
        """Take the next block; what may be the beginning of a longer token waits for the one after."""
        self._lines_before += self._block.count("\n")
        carried, self._carried = self._carried, ""
        if len(carried) > LONGEST_TOKEN:
            raise ReadError(f"a single token is longer than {LONGEST_TOKEN} characters", self._path, self._lines_before)
        data = self._file.read(BLOCK)
        line = self._lines_before + carried.count("\n")
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise ReadError("this is not UTF-8 text", self._path, line + error.object[: error.start].count(b"\n")) from error
        if "\0" in text:
            line += text.count("\n", 0, text.index("\0"))
            raise ReadError("there is a NUL byte in the text", self._path, line)
        self._block = carried + text
        self._tokens = TOKEN.findall(self._block)
        self._at = 0
        if self._tokens and self._unfinished():
            last = self._tokens[-1]
            if data:
                # Of a comment nothing but its beginning is needed, and a comment may be long.
                self._carried = ";" if last[0] == ";" else last
                self._block = self._block[: len(self._block) - len(last)]
                self._tokens.pop()
            elif last[0] == '"':
                raise ReadError("the file ends inside a string: it seems to be truncated", self._path, self._lines_before)
        return bool(data or self._tokens)

    def _unfinished(self) -> bool:
        """True if the last token touches the end of the block, and more text might make it longer."""
        last = self._tokens[-1]
        if last in BRACKETS or not self._block.endswith(last):
            return False
        return last[0] != '"' or WHOLE_STRING.fullmatch(last) is None

    def _close(self, token: str, stack: list[tuple[str, list[Value]]], prefixes: list[tuple[int, str]]) -> Form:
        if not stack or CLOSERS[stack[-1][0]] != token:
            raise self.error(f"a {token!r} closes nothing here")
        if prefixes and prefixes[-1][0] == len(stack):
            raise self.error(f"a tag stands before {token!r}")
        opener, items = stack.pop()
        if opener == "#{":
            return _sorted(items)
        if opener != "{":
            return tuple(items)
        if len(items) % 2:
            raise self.error("a map has a key without a value")
        made = dict(zip(items[::2], items[1::2], strict=True))
        if len(made) < len(items) // 2:
            self._refuse_twice(items[::2])
        return made

    def _refuse_twice(self, keys: list[Value]) -> None:
        # To Python 1, 1.0 and true are equal, to EDN they are not; so only texts and keywords are sure to be the same.
        seen: dict[str, None] = {}
        for key in keys:
            if isinstance(key, str):
                if key in seen:
                    raise self.error(f"a map has the key {_excerpt(key)} twice")
                seen[key] = None

    def _bytes(self, value: Form) -> bytes:
        try:
            return bytes.fromhex(value if isinstance(value, str) else "not a text")
        except ValueError:
            raise self.error(f"what stands behind {BYTES} is no text of hexadecimal digits") from None

    def _tag(self, token: str) -> str:
        if len(token) < 2 or not SYMBOL.fullmatch(token[1:]):
            raise self.error(f"{_excerpt(token)} is no tag")
        return token

    def _atom(self, token: str) -> Value:
        try:
            value = atom(token)
        except ValueError as error:
            raise self.error(str(error)) from None
        if len(self._atoms) < CACHED_ATOMS and len(token) < LONGEST_CACHED:
            self._atoms[token] = value
        return value


def as_value(form: Form) -> Value:
    """An element as it is inside of others: a map becomes pairs."""
    return _sorted(form.items()) if isinstance(form, dict) else form


def _sorted(items: Iterable[Value]) -> tuple[Value, ...]:
    """EDN's sets and maps have no order; equal ones must become equal values."""
    return tuple(sorted(items, key=repr))


def atom(token: str) -> Value:
    """The value of a token that is no bracket.

    Raises:
        ValueError: it is not EDN; says what is wrong.
    """
    first = token[0]
    if first == '"':
        text = token[1:-1]
        return ESCAPE.sub(_unescape, text) if "\\" in text else text
    if first == ":":
        if len(token) > 1 and not CONTROL.search(token):
            return token[1:]
    elif first == "\\":
        return _character(token[1:])
    elif first.isdigit() or (first in "+-" and token[1:2].isdigit()):
        if len(token) > MOST_DIGITS:
            raise ValueError(f"a number has more than {MOST_DIGITS} digits")
        if INTEGER.fullmatch(token):
            return int(token.removesuffix("N"))
        if match := FLOAT.fullmatch(token):
            return _decimal(token[:-1], match[2]) if match[3] else float(token)
        if match := RATIO.fullmatch(token):
            return _exact(Fraction(int(match[1]), int(match[2])))
        if HEXADECIMAL.fullmatch(token):
            return int(token, 16)
    elif SYMBOL.fullmatch(token):
        return token
    raise ValueError(f"{_excerpt(token)} is not EDN")


def _decimal(text: str, exponent: str | None) -> Value:
    """A decimal is exact, so two that differ must not become the same float."""
    if exponent is not None and abs(int(exponent[1:])) > LARGEST_EXPONENT:
        raise ValueError(f"the exponent of {_excerpt(text)} is beyond {LARGEST_EXPONENT}")
    exact, near = Fraction(text), float(text)
    return near if near not in (float("inf"), float("-inf")) and exact == Fraction(near) else exact


def _exact(ratio: Fraction) -> Value:
    return ratio.numerator if ratio.denominator == 1 else ratio


def parse_values(text: str) -> list[Value]:
    """The values in `text`, which is short (fields of a log line); at least one.

    Raises:
        ValueError: it is not EDN; says what is wrong.
    """
    try:
        values = [as_value(form) for form in EdnReader(io.BytesIO(text.encode()), "", spread=False)]
    except ReadError as error:
        raise ValueError(error.what) from None
    if not values:
        raise ValueError(f"{_excerpt(text)} is no value")
    return values


def _character(name: str) -> str:
    if len(name) == 1:
        return name
    if name in CHARACTERS:
        return CHARACTERS[name]
    if len(name) == 5 and name[0] == "u" and all(digit in HEXADECIMAL_DIGITS for digit in name[1:]):
        return chr(int(name[1:], 16))
    raise ValueError(f"there is no character called {_excerpt(name)}")


def _unescape(match: re.Match[str]) -> str:
    escaped = match.group(1)
    if len(escaped) == 5:
        return chr(int(escaped[1:], 16))
    if escaped not in ESCAPES:
        raise ValueError(f"a string holds the unknown escape {_excerpt(match.group())}")
    return ESCAPES[escaped]


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
