"""A table of plain values: a list of rows that a notebook shows as a table, and pandas takes over where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, overload

from .properties.history import Value, render

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped, import-not-found, unused-ignore]  # optional

__all__ = ["Table"]


def _none(_row: Mapping[str, Value]) -> Collection[str]:
    return ()


class Table(Sequence[Mapping[str, Value]]):
    """Rows that all have the same columns.

    `answers` names the columns of a row in which None is a value like any other and shown; elsewhere it is an empty cell.
    """

    def __init__(self, rows: Iterable[Mapping[str, Value]], answers: Callable[[Mapping[str, Value]], Collection[str]] = _none) -> None:
        self._rows = tuple(rows)
        self._answers = answers

    @property
    def columns(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(self._rows[0]) if self._rows else ()

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Value]: ...
    @overload
    def __getitem__(self, index: slice) -> Table: ...
    def __getitem__(self, index: int | slice) -> Mapping[str, Value] | Table:
        return Table(self._rows[index], self._answers) if isinstance(index, slice) else self._rows[index]

    def to_pandas(self) -> DataFrame:
        """The same as a data frame.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas  # type: ignore[import-untyped, import-not-found, unused-ignore]  # noqa: ICN001, PLC0415
        except ModuleNotFoundError as error:
            if error.name != "pandas":
                raise
            raise ModuleNotFoundError("to_pandas needs pandas: pip install 'killpoint[notebook]'", name="pandas") from None
        return pandas.DataFrame(list(self._rows), columns=list(self.columns))

    def _cells(self) -> list[list[str]]:
        return [
            ["" if value is None and name not in self._answers(row) else _cell(value) for name, value in row.items()] for row in self._rows
        ]

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self._cells())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def __str__(self) -> str:
        rows = [list(self.columns), *self._cells()]
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)

    def __repr__(self) -> str:
        return f"<Table of {len(self)} rows: {', '.join(self.columns)}>"


def _cell(value: Value) -> str:
    """Text as it is, numbers short, everything else as it would be written."""
    if isinstance(value, str):
        return value
    return f"{value:.6g}" if isinstance(value, float) else render(value)
