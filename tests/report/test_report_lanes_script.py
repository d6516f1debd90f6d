"""The arithmetic of the picture's script, in an engine without a browser: where moments are, what is in sight, what is pointed at."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import py_mini_racer
import pytest
from history_pages import STALE, Row, history_of, long_register, page_of, table_of

from killpoint import report
from killpoint.properties import KeyValue

SCRIPT = (Path(report.__path__[0]) / "assets" / "lanes.js").read_text(encoding="utf-8")


class Engine:
    """The script with the history of a page."""

    def __init__(self, page: str) -> None:
        self._context = py_mini_racer.MiniRacer()
        self._context.eval(SCRIPT)
        self._context.eval(f"const history = readHistory({msgspec.json.encode(table_of(page)).decode()});")
        self._context.eval("history.evenOut(Array.from({ length: history.count }, (_, i) => i));")
        finite = "Array.from(value, (x) => (x === Infinity ? null : x))"
        self._context.eval(f"const plain = (value) => (ArrayBuffer.isView(value) ? {finite} : value);")

    def __call__(self, expression: str) -> Any:
        return json.loads(self._context.eval(f"JSON.stringify(plain({expression}))"))


@pytest.mark.parametrize("axis", ["time", "even"])
def test_moments_of_effect_lie_in_their_bars_and_never_go_back(axis: str) -> None:
    engine = Engine(page_of(long_register(300)))
    begins, ends, end = engine(f"history.axes.{axis}.from"), engine(f"history.axes.{axis}.to"), engine(f"history.axes.{axis}.end")
    order, points = engine("history.orders[0][0].list"), engine(f'history.pointsOf(history.orders[0][0], "{axis}")')
    assert len(order) == 300
    assert points == sorted(points)
    for number, point in zip(order, points, strict=True):
        assert begins[number] <= point <= (end if ends[number] is None else ends[number])


def test_partial_orders_end_before_the_return_that_they_cannot_pass() -> None:
    engine = Engine(page_of(STALE))
    points = engine('history.pointsOf(history.orders[0][0], "time")')
    assert engine("history.orders[0][0].stuck") == 4
    assert points == sorted(points)
    assert points[-1] <= engine("history.axes.time.to")[4]


def test_states_are_those_of_the_order_one_after_the_other() -> None:
    rows: list[Row] = [("a", "append", ("x", "1 "), None, 0.0, 1.0), ("a", "get", "x", "1 ", 2.0, 3.0)]
    engine = Engine(page_of(history_of([*rows, ("a", "append", ("x", "2 "), None, 4.0, 5.0)]), KeyValue()))
    assert engine("history.text(history.initial)") == "''"
    assert engine("Array.from(history.orders[0][0].after).map(history.text)") == ["'1 '", "'1 '", "'1 2 '"]
    assert engine("history.title(1)") == "a get('x') → '1 '"


def test_pending_operations_never_end_and_say_when_they_were_given_up() -> None:
    engine = Engine(page_of(STALE))
    assert engine("history.axes.time.to")[3] is None
    assert engine("history.axes.even.to")[3] is None
    assert engine("history.bands.map((band) => band.time)") == [[100_000, 650_000], [800_000, 1_100_000]]


def test_what_is_in_sight_and_what_is_pointed_at_agree_with_looking_at_everything() -> None:
    engine = Engine(page_of(long_register(200, clients=3)))
    begins, ends = engine("history.axes.time.from"), engine("history.axes.time.to")
    lanes = engine("history.lanesOf(() => true).map((lane) => lane.list)")
    assert sorted(number for lane in lanes for number in lane) == [*range(200)]
    source = random.Random(2)
    for _ in range(60):
        lane = source.randrange(3)
        left = source.uniform(-1e5, 4e6)
        right = left + source.uniform(0, 1e6)
        listed = f"history.lanesOf(() => true)[{lane}].list"
        first, last = engine(f"inSight({listed}, history.axes.time, {left}, {right})")
        seen = [number for number in lanes[lane] if begins[number] <= right and ends[number] >= left]
        assert lanes[lane][first:last] == seen
        pointed = engine(f"operationAt({listed}, history.axes.time, {left}, 500)")
        away = {number: max(begins[number] - left, left - ends[number], 0) for number in lanes[lane]}
        nearest = min(away.values())
        assert pointed == -1 if nearest > 500 else away[pointed] == nearest


def test_zooming_keeps_what_is_under_the_pointer() -> None:
    engine = Engine(page_of(STALE))
    source = random.Random(3)
    for _ in range(40):
        left, scale, pixel = source.uniform(0, 1e6), source.uniform(0.001, 1), source.uniform(0, 1000)
        factor = source.uniform(0.5, 2)
        after = engine(f"zoomed({{ left: {left}, scale: {scale} }}, {factor}, {pixel}, {{ least: 1e-4, most: 2 }})")
        assert after["left"] + pixel / after["scale"] == pytest.approx(left + pixel / scale)
    assert engine("zoomed({ left: 0, scale: 1 }, 1000, 0, { least: 0.1, most: 4 }).scale") == 4
    assert engine("held({ left: 900, scale: 1 }, 1000, 500)") == {"scale": 1, "left": 550}
    assert engine("held({ left: -900, scale: 1 }, 1000, 500)") == {"scale": 1, "left": -50}


def test_ticks_are_round_and_not_too_close() -> None:
    engine = Engine(page_of(STALE))
    for scale in (1e-5, 0.003, 0.2, 7.0):
        step = engine(f"tickStep({scale}, 90, 1)")
        assert step * scale >= 89
        assert str(step).strip("0.")[:1] in "125"
    assert engine("tickText(1500000, 500000)") == "1.5"
    assert engine("tickText(2000000, 1000000)") == "2"
