"""Pages in a headless Chromium, where there is one: what a script finds in them after it has pressed keys and pointed at things."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_browser = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine (Debian: apt-get install chromium)")

_TOOLS = """
// A headless browser makes frames when it likes, if at all; here one comes as soon as it is asked for.
window.requestAnimationFrame = (draw) => setTimeout(draw, 0);
window.ResizeObserver = class {
  constructor(look) { this.look = look; }
  observe() { setTimeout(this.look, 0); }
};
const errors = [];
addEventListener("error", (event) => errors.push(event.message));
const press = (...keys) => { for (const key of keys) dispatchEvent(new KeyboardEvent("keydown", { key })); };
const text = (selector) => document.querySelector(selector)?.textContent ?? null;
const drawn = () => new Promise((done) => setTimeout(done, 20));
const point = (x, y, kind = "pointermove") => {
  const area = document.querySelector(".chart").getBoundingClientRect();
  const event = new PointerEvent(kind, { clientX: area.left + x, clientY: area.top + y, bubbles: true, pointerId: 1 });
  document.querySelector(".chart").dispatchEvent(event);
};
const report = (found) => {
  const place = document.createElement("pre");
  place.id = "found";
  place.textContent = JSON.stringify({ ...found, errors });
  document.body.append(place);
};
"""


def asked(page: str, script: str, folder: Path, *, dark: bool = False) -> dict[str, Any]:
    """What `script`, the body of an asynchronous function, returns after the page has been drawn; no error may have been thrown."""
    assert BROWSER is not None
    begin = f"<head><script>{_TOOLS}</script>"
    look = f"addEventListener('load', async () => {{ await drawn(); report(await (async () => {{ {script} }})()); }});"
    end = f"<script>{look}</script></body>"
    file = folder / "page.html"
    file.write_text(page.replace("<head>", begin, 1).replace("</body>", end, 1), encoding="utf-8")
    # Virtual time goes on as fast as there is work to do, so nothing waits for a clock.
    command = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1400,800"]
    command += [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=5000", "--dump-dom", file.as_uri()]
    command += ["--blink-settings=preferredColorScheme=0"] if dark else []
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    said = re.search(r'<pre id="found">(.*?)</pre>', ended.stdout, re.DOTALL)
    assert said is not None, f"the page said nothing: {ended.stderr[-2000:]}"
    found: dict[str, Any] = json.loads(html.unescape(said[1]))
    assert found.pop("errors") == []
    return found
