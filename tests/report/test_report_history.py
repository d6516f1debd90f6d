"""The page with the picture of a history: what is on it, what must not be, and what it does in a browser."""

from __future__ import annotations

import html
import random
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest
from browser import asked, needs_browser
from history_pages import HOSTILE, STALE, history_of, long_register, page_of, table_of

from killpoint import report
from killpoint.checking import Examined, UnknownModelError
from killpoint.pictures import Picture, draw
from killpoint.properties import CasRegister, History, Incident, Isolation, KeyValue, Linearizable, Operation, Outcome, Register
from killpoint.report import history as page_module
from killpoint.report.bars import COLUMNS
from killpoint.report.cycles import micro_operations
from killpoint.report.incidents import bands_of
from killpoint.report.lanes import lanes_of

PAGE = page_of(STALE)
ASSETS = Path(report.__path__[0]) / "assets"
SCRIPTS = "".join((ASSETS / name).read_text(encoding="utf-8") for name in page_module._SCRIPTS)


def rows(page: str) -> list[list[int]]:
    columns = table_of(page).columns
    return [columns[at : at + COLUMNS] for at in range(0, len(columns), COLUMNS)]


# -- the table --------------------------------------------------------------------------------------


def test_the_same_history_makes_the_same_bytes() -> None:
    assert page_of(STALE) == PAGE


def test_times_begin_at_zero_and_nothing_is_lost() -> None:
    data, found = table_of(PAGE), rows(PAGE)
    assert data.timed
    assert [row[7] for row in found] == [0, 300_000, 100_000, 50_000, 250_000, 300_000]
    assert [row[8] for row in found] == [200_000, 200_000, 200_000, -1, 200_000, 100_000]
    assert [row[3] for row in found] == [0, 0, 0, 2, 0, 0]
    assert [data.texts[row[1]] for row in found][:2] == ["write(1)", "write(2)"]
    assert data.texts[found[4][2]] == "1"
    assert data.ended == 1_100_000


def test_the_longest_partial_orders_and_their_ends_are_on_the_page() -> None:
    data = table_of(PAGE)
    ((first, *others),) = data.orders
    assert first.stuck == 4
    ends = {data.texts[next(state for state in reversed(way.states) if state >= 0)] for way in (first, *others)}
    assert ends == {"2", "3"} or ends == {"2", "3", "4"}
    reasons = {number: data.texts[words] for number, words in first.reasons}
    assert reasons[4].startswith("cannot be placed: the register holds ")
    assert reasons[3] == "could come next, but then the register holds 4, not 1"
    assert "fails: a read returned 1" in PAGE


def test_a_history_without_times_is_drawn_by_its_order() -> None:
    history = History([msgspec.structs.replace(event, time=0.0) for event in STALE])
    assert not table_of(page_of(history)).timed


def test_without_a_model_there_are_only_operations() -> None:
    page = draw(STALE, title="as it was").html()
    assert table_of(page).parts == []
    assert 'class="badge' not in page
    with pytest.raises(UnknownModelError, match="there is no model 'abacus'"):
        draw(STALE, "abacus")
    assert table_of(draw(STALE, "register").html()).orders == table_of(PAGE).orders


def test_a_notebook_shows_a_frame_and_a_file_is_the_page(tmp_path: Path) -> None:
    picture = draw(STALE, Register(), title="a history")
    frame = picture._repr_html_()
    assert frame.startswith('<iframe sandbox="allow-scripts"')
    assert html.unescape(frame[frame.index('srcdoc="') + 8 : frame.rindex('"></iframe>')]) == PAGE
    picture.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == picture.html() == PAGE
    assert repr(picture) == f"<Picture of {len(PAGE):,} bytes: show it in a notebook, or save(path)>"


def test_a_property_of_some_operations_leaves_the_others_without_an_order() -> None:
    history = history_of([("a", "write", 1, None, 0.0, 1.0), ("b", "audit", None, 7, 0.5, 2.0)])
    page = draw(history, Linearizable(Register(), functions=frozenset({"read", "write"}))).html()
    assert [row[4] for row in rows(page)] == [0, -1]
    assert _places(table_of(page).orders[0][0].operations) == [0]


def test_parts_are_named_by_their_keys() -> None:
    history = history_of([("a", "append", ("x", "1 "), None, 0.0, 1.0), ("b", "get", "y", "2 ", 2.0, 3.0)])
    data = table_of(page_of(history, KeyValue()))
    assert [(name, status) for name, status, _note in data.parts] == [("'x'", "valid"), ("'y'", "invalid")]
    assert '<select aria-label="what is shown">' in page_of(history, KeyValue())


def test_an_empty_history_has_a_page_too() -> None:
    assert table_of(page_of(History([]))).columns == []


def test_nothing_of_a_history_becomes_markup() -> None:
    history = history_of(
        [(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 0.0, 1.0), ("p", "write", HOSTILE, None, 2.0, 3.0)], [(0.5, HOSTILE, HOSTILE)]
    )
    page = draw(history, title=HOSTILE).html()
    assert "<script>alert" not in page
    assert "<b onload" not in page
    page.encode("utf-8")
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setHTML", SCRIPTS)
    assert not re.search(r"https?://", PAGE), "needs nothing from anywhere"


def test_ten_thousand_operations_take_less_than_a_megabyte() -> None:
    page = page_of(long_register(1_000))
    assert len(page) - len(page_of(History([]))) < 100_000
    assert len(page_of(History([]))) < 80_000, "what does not grow with the history"


def test_everything_that_the_script_looks_for_is_on_the_page() -> None:
    parts = history_of([("a", "append", ("y", "2 "), None, 2.0, 3.0), ("a", "append", ("x", "2 "), None, 4.0, 5.0)])
    page = PAGE + page_of(parts, KeyValue()) + _skew_page()
    wanted = set(re.findall(r'(?:one|all)\("\.([a-z]+)', SCRIPTS))
    there = {name for names in re.findall(r'class="([^"]*)"', page) for name in names.split()}
    assert wanted <= there


def test_every_button_and_every_key_of_the_legend_does_something() -> None:
    actions = SCRIPTS[SCRIPTS.index("const actions = {") : SCRIPTS.index("addEventListener(\"keydown\", (event)")]
    words = PAGE[: PAGE.index("<script")]
    keys = set(re.findall(r'data-key="([^"]+)"', words)) | set(re.findall(r"<kbd>([^<])</kbd>", words)) - set("14")
    for key in keys:
        assert re.search(rf'(^|[ {{,])("{re.escape(key)}"|{re.escape(key)}): (\(|\w+,)', actions, re.MULTILINE), key


# -- lanes and incidents ----------------------------------------------------------------------------


def operation(process: str, invoked: int, completed: int | None) -> Operation:
    ending = Outcome.INFO if completed is None else Outcome.OK
    return Operation(invoked, process, "read", None, ending, None, None, invoked, completed, 0.0, None if completed is None else 0.0)


def test_a_client_keeps_its_lane_under_its_new_names() -> None:
    made = [operation("c2", 0, None), operation("c1", 1, 2), operation("c2.2", 3, None), operation("c2.3", 5, 6), operation("c10", 7, 8)]
    assert lanes_of(made) == [["c1"], ["c2", "c2.2", "c2.3"], ["c10"]]
    made = [operation("4", 0, None), operation("4/2", 3, 4)]
    assert lanes_of(made) == [["4", "4/2"]]


def test_jepsens_numbers_go_up_by_the_number_of_clients() -> None:
    made = [operation(str(number), number, 10 + number if number else None) for number in range(5)]
    made += [operation("5", 20, None), operation("10", 22, 23), operation("1", 24, 25)]
    assert lanes_of(made) == [["0", "5", "10"], ["1"], ["2"], ["3"], ["4"]]


def test_numbers_that_nobody_left_have_lanes_of_their_own() -> None:
    made = [operation("0", 0, 1), operation("5", 2, 3), operation("7", 4, None)]
    assert lanes_of(made) == [["0"], ["5"], ["7"]]


def test_thousands_of_processes_take_turns_on_few_lanes() -> None:
    source = random.Random(1)
    made, clock = [], 0
    for number in range(5_000):
        clock += source.randrange(1, 3)
        made.append(operation(f"p{number}", clock, clock + source.randrange(3, 40)))
    made.sort(key=lambda one: one.invoked)
    lanes = lanes_of(made)
    assert len(lanes) <= 64
    where = {process: place for place, lane in enumerate(lanes) for process in lane}
    assert len(where) == 5_000
    busy: dict[int, int] = {}
    for one in made:
        assert busy.get(where[one.process], -1) <= one.invoked
        assert one.completed is not None
        busy[where[one.process]] = one.completed


def test_incidents_become_bands() -> None:
    assert bands_of(STALE) == [(10.1, 10.65, "n1 down"), (10.8, None, "start-partition")]
    events = [Incident(0, 1.0, "start", None, {"what": "x"}), Incident(1, 2.0, "stop"), Incident(2, 3.0, "bump")]
    assert [(begin, end) for begin, end, _what in bands_of(events)] == [(1.0, 2.0), (3.0, 3.0)]
    links = {"links": (("a", "b"), ("b", "a"))}
    assert bands_of([Incident(0, 1.0, "cut", None, links), Incident(1, 4.0, "heal", None, links)]) == [
        (1.0, 4.0, "no messages between a and b")
    ]


# -- transactions -----------------------------------------------------------------------------------


def transaction(number: int, process: str, span: tuple[int, int], *micro: tuple[str, str, object]) -> Operation:
    asked_ = tuple((function, key, None if function == "r" else value) for function, key, value in micro)
    return Operation(number, process, "txn", asked_, Outcome.OK, micro, None, *span, span[0] / 10, span[1] / 10)


SKEW = [
    transaction(0, "a", (0, 3), ("append", "x", 1), ("append", "y", 1)),
    transaction(1, "a", (4, 8), ("r", "x", (1,)), ("append", "y", 2)),
    transaction(2, "b", (5, 9), ("r", "y", (1,)), ("append", "x", 2)),
    transaction(3, "c", (10, 11), ("r", "x", (1, 2)), ("r", "y", (1, 2))),
]


def _skew_page() -> str:
    verdict = Isolation().judge(SKEW)
    return Picture.of(Examined(verdict, History([]), SKEW, workload="list-append"), "skew").html()


def test_a_cycle_is_a_figure_with_an_edge_for_each_step() -> None:
    page = _skew_page()
    figure = ET.fromstring(page[page.index('<svg class="ring"') : page.index("</svg>", page.index('<svg class="ring"')) + 6])
    assert [node.get("data-op") for node in figure.iter("g") if node.get("class") == "node"] == ["1", "2"]
    edges = [edge for edge in figure.iter("g") if (edge.get("class") or "").startswith("edge")]
    assert [edge.get("class") for edge in edges] == ["edge rw", "edge rw"]
    assert "without 2, which T2 appended" in (edges[0].findtext("title") or "")
    ((kind, operations, steps),) = table_of(page).cycles
    assert (kind, sorted(operations), [step[2] for step in steps]) == ("G2-item", [1, 2], ["rw", "rw"])
    texts = table_of(page).texts
    assert "r x [1], append y 2" in texts
    assert "T1 before T2" in page


def test_what_a_transaction_read_is_only_shown_if_it_is_known() -> None:
    pending = msgspec.structs.replace(SKEW[1], outcome=Outcome.INFO, result=None, completed=None)
    assert micro_operations(pending) == ["r x ?", "append y 2"]
    assert micro_operations(msgspec.structs.replace(pending, argument=7)) == []


# -- in a browser -----------------------------------------------------------------------------------


@needs_browser
def test_a_violation_is_in_sight_when_the_page_opens_and_the_keys_lead_along_the_order(tmp_path: Path) -> None:
    found = asked(
        PAGE,
        """
        const canvas = document.querySelector(".chart canvas"), pen = canvas.getContext("2d");
        const reddish = () => {
          const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
          let number = 0;
          for (let i = 0; i < data.length; i += 4) number += data[i] > 170 && data[i + 1] < 80 && data[i + 2] < 80;
          return number;
        };
        const seen = { why: text(".why"), red: reddish(), measured: performance.getEntriesByName("draw").length };
        press("v"); await drawn();
        seen.stuck = text(".panel .what");
        press("k"); await drawn();
        seen.last = text(".panel .what");
        seen.facts = text(".panel dl");
        press("j"); await drawn();
        seen.again = text(".panel .what");
        press("2"); await drawn();
        seen.other = text(".why code");
        press("1"); await drawn();
        seen.first = text(".why code");
        press("Escape", "t", "t", "0", "+", "+", "-", "[", "]", "l", "l", "J", "K", "n", "?"); await drawn();
        seen.help = document.querySelector(".help").hidden;
        return seen;
        """,
        tmp_path,
    )
    assert "cannot be placed: the register holds" in found["why"]
    assert found["red"] > 200
    assert found["stuck"] == found["again"] == "c2 read() → 1"
    assert found["last"].split()[1].startswith("write(")
    assert "in the order3 of 3" in found["facts"]
    assert {found["first"], found["other"]} <= {"2", "3", "4"}
    assert found["first"] != found["other"]
    assert not found["help"]


@needs_browser
def test_pointing_searching_and_choosing_a_part(tmp_path: Path) -> None:
    history = history_of(
        [(f"c{number % 3}", "append", (f"k{number % 2}", f"{number} "), None, float(number), number + 0.8) for number in range(12)]
    )
    found = asked(
        page_of(history, KeyValue()),
        """
        press("0"); await drawn();
        const told = new Set();
        for (let x = 80; x < 1000; x += 6) {
          point(x, 45);
          const tip = document.querySelector(".tip");
          if (!tip.hidden) told.add(tip.querySelector("b").textContent);
        }
        const box = document.querySelector(".bar input");
        box.value = "K1 append"; box.dispatchEvent(new Event("input"));
        const hits = text(".bar output");
        box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true })); await drawn();
        const hit = text(".panel .what"), place = text(".bar output");
        const choice = document.querySelector(".bar select"), options = [...choice.options].map((each) => each.textContent);
        choice.value = 0; choice.dispatchEvent(new Event("change")); await drawn();
        press("Escape", "0"); await drawn();
        press("j"); await drawn();
        const first = text(".panel .what");
        press("j", "j"); await drawn();
        return { told: [...told], hits, hit, place, options, first, third: text(".panel .what"), state: text(".panel dl") };
        """,
        tmp_path,
        dark=True,
    )
    assert found["told"] == [f"c0 append('k{number % 2}', '{number} ')" for number in (0, 3, 6, 9)]
    assert (found["hits"], found["place"]) == ("6 found", "1 / 6")
    assert found["hit"] == "c1 append('k1', '1 ')"
    assert found["options"] == ["all 2 parts", "'k0'", "'k1'"]
    assert found["first"] == "c0 append('k0', '0 ')"
    assert found["third"] == "c1 append('k0', '4 ')"
    assert "'0 2 ' → '0 2 4 '" in found["state"]


@needs_browser
def test_transactions_and_ten_thousand_operations_are_drawn(tmp_path: Path) -> None:
    found = asked(_skew_page(), "press('v'); await drawn(); return { what: text('.panel .what'), facts: text('.panel dl') };", tmp_path)
    assert found["what"].startswith("T")
    assert "G2-item" in found["facts"]
    found = asked(
        page_of(long_register(10_000)),
        "for (const key of '0++++++++++') press(key); await drawn(); press('j'); await drawn(); return { what: text('.panel .what') };",
        tmp_path,
    )
    assert re.fullmatch(r"c\d write\(\d+\)", found["what"])


def test_registers_whose_writes_repeat_are_searched() -> None:
    history = history_of([("a", "write", 1, None, 0.0, 1.0), ("b", "write", 1, None, 0.5, 2.0), ("a", "read", None, 1, 3.0, 4.0)])
    data = table_of(page_of(history, CasRegister()))
    assert data.parts == [("", "valid", "")]
    assert sorted(_places(data.orders[0][0].operations)) == [0, 1, 2]
    assert table_of(page_of(history, Register())).parts == data.parts


def _places(differences: list[int]) -> list[int]:
    places, place = [], 0
    for difference in differences:
        place += difference
        places.append(place)
    return places
