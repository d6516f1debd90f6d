"""How long pictures of histories take to make and to draw, and how large they are.

    python benchmarks/pictures.py [CHROMIUM]

Histories are those of `checkers.py`, with times.  Printed are the CPU seconds for orders and page, megabytes of HTML, and from the page
itself, opened in a headless Chromium (the one on the path, if none is named): milliseconds from the start of loading to the first
picture, and the median and the longest time that the script takes to draw while it zooms in and out 25 steps and moves 10 times.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from checkers import CASES, recorded
from rich.console import Console
from rich.table import Table

from killpoint import draw
from killpoint.properties import Complete, Event, History, Invoke, Operation

HISTORIES = (
    ("register", 10, 10_000, False),
    ("register, 5 % crashed, stale", 10, 10_000, True),
    ("queue", 20, 10_000, False),
    ("store of 10 keys", 20, 10_000, False),
    ("register", 10, 100_000, False),
    ("register, 5 % crashed, stale", 10, 100_000, True),
    ("store of 10 keys", 20, 100_000, False),
)

SCRIPT = """<script>addEventListener("load", () => setTimeout(async () => {
  const key = (name) => dispatchEvent(new KeyboardEvent("keydown", { key: name }));
  const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const first = performance.getEntriesByName("draw")[0];
  key("0");
  await frame();
  performance.clearMeasures();
  for (const name of "+".repeat(25) + "-".repeat(25)) { key(name); await frame(); }
  for (let i = 0; i < 10; i++) { key("ArrowRight"); await frame(); }
  const took = performance.getEntriesByName("draw").map((entry) => entry.duration).sort((a, b) => a - b);
  const found = { first: first.startTime + first.duration, median: took[took.length >> 1], longest: took.at(-1), draws: took.length };
  navigator.sendBeacon("http://127.0.0.1:PORT/", JSON.stringify(found));
}, 300));</script></body>"""


def history_of(operations: list[Operation], clients: int) -> History:
    """The same operations as events of clients, one event every half a millisecond."""
    moments = [(one.invoked, True, one) for one in operations]
    moments += [(one.completed, False, one) for one in operations if one.completed is not None]
    moments.sort(key=lambda moment: moment[0])
    gone: deque[int] = deque()
    idle = [f"c{number}" for number in range(clients, 0, -1)]
    owner: dict[int, str] = {}
    events: list[Event] = []
    lives: dict[str, int] = {}
    for index, (_at, calling, one) in enumerate(moments):
        now = index / 2000
        if calling:
            if not idle:  # a client gave up, and goes on under another name
                client = owner.pop(gone.popleft()).partition(".")[0]
                lives[client] = lives.get(client, 1) + 1
                idle.append(f"{client}.{lives[client]}")
            process = owner[one.id] = idle.pop()
            gone += [one.id] if one.pending else []
            events.append(Invoke(index, now, process, one.id, one.function, one.argument))
        else:
            process = owner.pop(one.id)
            idle.append(process)
            events.append(Complete(index, now, process, one.id, one.outcome, one.result))
    return History(events)


def drawn(page: str, chromium: str) -> dict[str, Any]:
    """What the page says of itself."""
    said: list[dict[str, Any]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:  # type: ignore[override]
            pass

    with tempfile.TemporaryDirectory() as name, HTTPServer(("127.0.0.1", 0), Listener) as server:
        file = Path(name) / "page.html"
        file.write_text(page.replace("</body>", SCRIPT.replace("PORT", str(server.server_port))), encoding="utf-8")
        server.timeout = 60
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1500,850", f"--user-data-dir={name}/profile"]
        command = [chromium, *options, "--remote-debugging-port=0", file.as_uri()]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            server.handle_request()
        finally:
            browser.terminate()
            browser.wait()
    return said[0]


def main(arguments: list[str]) -> None:
    """Print the table."""
    chromium = next(filter(None, map(shutil.which, [*arguments, "chromium", "chromium-browser", "google-chrome"])), None)
    table = Table("history", "operations", "CPU s", "MB", "first picture ms", "draw: median ms", "longest ms")
    for name, clients, size, stale in HISTORIES:
        specification, make, _clients, _wanted, crashed, _stale = CASES[name]
        operations = recorded(make(), clients, size, crashed=crashed or 0.0, stale=stale)
        history = history_of(operations, clients)
        began = time.process_time()
        page = draw(history, specification).html()
        cells = [f"{time.process_time() - began:.2f}", f"{len(page.encode()) / 1e6:.2f}"]
        if chromium is not None:
            found = drawn(page, chromium)
            cells += [f"{found['first']:.0f}", f"{found['median']:.1f}", f"{found['longest']:.1f}"]
        table.add_row(f"{name}, {clients} clients", f"{size:,}", *cells)
    Console(width=130).print(table)
    if chromium is None:
        print("There is no Chromium here, so nothing was drawn.")


if __name__ == "__main__":
    main(sys.argv[1:])
