// Interaction for a space-time diagram whose picture is already there: zoom, hover, causal past, search, keys, overview.
// The picture is rescaled by rewriting the heights in its own markup, chunk by chunk as they come into view; nothing is redrawn.
(() => {
  "use strict";
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);
  const data = JSON.parse(one("script.data").textContent);
  const svg = one("svg.diagram"), scroll = one(".scroll"), panel = one(".panel"), over = one(".over"), view = one(".map div");
  const map = one(".map svg"), found = one(".bar output"), box = one(".bar input");
  const height = data.height, count = data.events.length;

  // ---- events: parallel arrays; every position is an offset into them -----------------------------------------------------
  const time = new Float64Array(count), y = new Float64Array(count), x = new Float64Array(count), lane = new Int32Array(count);
  const cause = new Int32Array(count), before = new Int32Array(count).fill(-1), index = new Int32Array(count), type = new Int32Array(count).fill(-1);
  const kind = [], routine = new Uint8Array(count);
  const STOPS = new Set(["kill", "power-loss", "crash", "exit"]);
  {
    const last = new Map();
    let clock = 0, drop = 0, sends = 0;
    data.events.forEach((row, i) => {
      time[i] = clock += row[0];
      y[i] = (drop += data.y[i]) / 10;
      kind.push(data.kinds[row[1]]);
      lane[i] = row[2];
      cause[i] = row[3] ? i - row[3] : -1;
      if (kind[i] === "send") { type[i] = data.sends[sends] >> 1; routine[i] = data.sends[sends++] & 1; }
      else if (cause[i] >= 0 && (kind[i] === "deliver" || kind[i] === "drop")) { type[i] = type[cause[i]]; routine[i] = routine[cause[i]]; }
      x[i] = lane[i] < 0 ? data.gutter : data.lanes[lane[i]][1];
      // A drop happens to the message, not to the host it was meant for; a stopped host's next incarnation begins afresh.
      if (lane[i] >= 0 && kind[i] !== "drop") {
        before[i] = last.has(lane[i]) ? last.get(lane[i]) : -1;
        last.set(lane[i], STOPS.has(kind[i]) ? -1 : i);
      }
    });
    let shift = 0, next = 0;
    for (let i = 0; i < count; i++) {
      if (next < data.shifts.length && data.shifts[next][0] === i) shift = data.shifts[next++][1];
      index[i] = i + shift;
    }
  }
  const place = new Map(index.length ? Array.from(index, (value, i) => [value, i]) : []);
  const fields = (i) => {
    const row = data.events[i];
    return data.keys[row[4]].map((key, j) => [key, data.texts[row[5 + j]]]);
  };
  const host = (i) => (lane[i] < 0 ? "" : data.lanes[lane[i]][0]);
  const stamp = (t) => (t / 1e6).toFixed(6).replace(/0{1,3}$/, "") + " s";
  const message = (i) => (kind[i] === "deliver" || kind[i] === "drop") && cause[i] >= 0;
  const spot = (i) => x[i] + (kind[i] === "disk" ? 9 : kind[i] === "killpoint" ? -8 : kind[i] === "log" ? -14 : 0);
  const segment = (i) => {                       // where the arrow that ends with event i runs, as drawn
    const from = cause[i];
    if (kind[i] === "deliver") return [x[from], y[from], x[i], y[i]];
    const dx = x[i] - x[from], near = Math.sign(dx) * (36 + 0.12 * Math.abs(dx));
    return time[i] <= time[from] ? [x[from], y[from], x[from] + near, y[from] + 7] : [x[from], y[from], x[i] - 14 * Math.sign(dx), y[i]];
  };
  const completes = (i) => kind[i] === "complete" && cause[i] >= 0;
  const summary = (i) => {
    const what = new Map(fields(message(i) ? cause[i] : i));
    if (kind[i] === "send") return what.get("body") + " to " + what.get("to");
    if (message(i)) return what.get("body") + " from " + host(cause[i]) + (kind[i] === "drop" ? ": " + (new Map(fields(i)).get("why") || "dropped") : "");
    return [...what.values()].join("  ");
  };

  // ---- what is hidden -----------------------------------------------------------------------------------------------------
  const boxes = all(".filters input");
  const off = (name) => { const input = boxes.find((each) => each.className === name); return input ? !input.checked : false; };
  let hidden = new Set();
  const refilter = () => { hidden = new Set(boxes.filter((each) => !each.checked).map((each) => each.className)); };
  const shown = (i) => {
    if (type[i] >= 0) return !hidden.has("f-t" + type[i]) && !(routine[i] && hidden.has("f-r"));
    return !hidden.has("f-" + kind[i]);
  };

  // ---- zoom ---------------------------------------------------------------------------------------------------------------
  let scale = 1;
  const fix = (value) => Math.round(value * 10) / 10;
  const head = (dx, dy) => {
    const length = Math.hypot(dx, dy) || 1, ux = dx / length, uy = dy / length;
    return `m0 0l${fix(-7 * ux - 2.7 * uy)} ${fix(-7 * uy + 2.7 * ux)}l${fix(5.4 * uy)} ${fix(-5.4 * ux)}z`;
  };
  const stretch = (path) => path.replace(/M([\d.-]+) ([\d.-]+)(?:L([\d.-]+) ([\d.-]+)(m0 0l[^z]+z)?)?/g, (_, x1, y1, x2, y2, tip) => {
    const start = `M${x1} ${fix(y1 * scale)}`;
    return x2 === undefined ? start : `${start}L${x2} ${fix(y2 * scale)}${tip ? head(x2 - x1, (y2 - y1) * scale) : ""}`;
  });
  const original = new WeakMap();
  const rescale = (element) => {
    if (element.tagName === "path") {
      if (!original.has(element)) original.set(element, element.getAttribute("d"));
      element.setAttribute("d", stretch(original.get(element)));
      return;
    }
    if (!element.hasAttribute("y")) return;
    if (!original.has(element)) original.set(element, [+element.getAttribute("y"), +element.getAttribute("height")]);
    const [top, tall] = original.get(element);
    element.setAttribute("y", fix(top * scale));
    if (element.tagName === "rect") element.setAttribute("height", Math.max(fix(tall * scale), 1));
  };
  const chunks = all(".chunks > g").map((element) => ({ element, reach: element.dataset.y.split(" ").map(Number), scale: 1 }));
  const fixed = all(".grid *, .shapes *, .words *").filter((element) => element.tagName !== "title" && element.tagName !== "g");
  const look = (everything) => {                 // show and rescale the chunks in view
    const top = scroll.scrollTop / scale - 300, bottom = everything === true ? Infinity : (scroll.scrollTop + scroll.clientHeight) / scale + 300;
    for (const chunk of chunks) {
      const near = (everything === true || chunk.reach[1] >= top) && chunk.reach[0] <= bottom;
      chunk.element.style.display = near ? "" : "none";
      if (near && chunk.scale !== scale) { all("*", chunk.element).forEach(rescale); chunk.scale = scale; }
    }
    const tall = scroll.scrollHeight || 1;
    view.style.top = (100 * scroll.scrollTop) / tall + "%";
    view.style.height = (100 * scroll.clientHeight) / tall + "%";
  };
  const zoom = (wanted, at = scroll.clientHeight / 2) => {
    const anchor = (scroll.scrollTop + at) / scale, old = scale;
    scale = Math.min(Math.max(wanted, Math.min(0.02, scroll.clientHeight / height)), 16);
    if (scale !== old) {
      fixed.forEach(rescale);
      svg.setAttribute("height", fix(height * scale));
      svg.setAttribute("viewBox", `0 0 ${data.width} ${fix(height * scale)}`);
      map.setAttribute("viewBox", `${data.left} 0 ${data.width - data.left} ${fix(height * scale)}`);
      svg.classList.toggle("far", scale < 0.5);
      svg.classList.toggle("farther", scale < 0.12);
      svg.classList.toggle("near", scale >= 2.5);
    }
    scroll.scrollTop = anchor * scale - at;
    look();
    overlay();
  };
  const go = (i, where = 0.45) => {
    const top = y[i] * scale;
    if (top < scroll.scrollTop + 50 || top > scroll.scrollTop + scroll.clientHeight - 40) scroll.scrollTop = top - scroll.clientHeight * where;
    if (x[i] < scroll.scrollLeft || x[i] > scroll.scrollLeft + scroll.clientWidth) scroll.scrollLeft = x[i] - scroll.clientWidth / 2;
    look();
  };

  // ---- selection, causal past, overlay ------------------------------------------------------------------------------------
  let selected = -1, hovered = -1, past = null, hits = [];
  const causes = (i) => {
    const seen = new Uint8Array(count), stack = [i];
    seen[i] = 1;
    while (stack.length) {
      const next = stack.pop();
      for (const earlier of [before[next], cause[next]]) if (earlier >= 0 && !seen[earlier]) { seen[earlier] = 1; stack.push(earlier); }
    }
    return seen;
  };
  const line = (i) => {
    const [x1, y1, x2, y2] = segment(i), side = Math.sign(x2 - x1) || 1;
    const dx = x2 - x1 - 7 * side, dy = (y2 - y1) * scale;
    return `M${fix(x1 + 3 * side)} ${fix(y1 * scale)}l${fix(dx)} ${fix(dy)}${kind[i] === "deliver" ? head(dx, dy) : ""}`;
  };
  const overlay = () => {
    let markup = "";
    for (const i of hits) markup += `<circle class="found" cx="${spot(i)}" cy="${fix(y[i] * scale)}" r="6"/>`;
    if (past) {
      let lines = "", flights = "", routines = "";
      for (let i = 0; i < count; i++) {
        if (!past[i]) continue;
        if (before[i] >= 0) lines += `M${x[i]} ${fix(y[before[i]] * scale)}V${fix(y[i] * scale)}`;
        if (message(i)) { if (!shown(i)) continue; if (routine[i]) routines += line(i); else flights += line(i); }
        else if (cause[i] >= 0 && lane[cause[i]] !== lane[i]) flights += `M${x[cause[i]]} ${fix(y[cause[i]] * scale)}L${x[i]} ${fix(y[i] * scale)}`;
      }
      markup += `<path class="line" d="${lines}"/><path class="past r" d="${routines}"/><path class="past" d="${flights}"/>`;
    }
    for (const [i, style] of [[selected, "on"], [hovered, "hover"]]) {
      if (i < 0) continue;
      markup += `<circle class="${style}" cx="${spot(i)}" cy="${fix(y[i] * scale)}" r="8"/>`;
      if (style === "hover" && message(i)) markup += `<path class="hover" d="${line(i)}"/>`;
    }
    over.innerHTML = markup;
  };
  const select = (i) => {
    selected = i;
    past = i >= 0 ? causes(i) : null;
    svg.classList.toggle("focus", past !== null && past.reduce((sum, inside) => sum + inside, 0) > 2);
    overlay();
    describe(i >= 0 ? i : hovered);
  };

  // ---- the panel ----------------------------------------------------------------------------------------------------------
  const idle = panel.innerHTML;
  const node = (tag, text, style) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (style) element.className = style;
    return element;
  };
  const link = (i, words) => {
    const button = node("button", `${words} ${kind[i]} ${host(i)} ${stamp(time[i])}`, "link");
    button.onclick = () => { select(i); go(i); };
    return button;
  };
  const table = (pairs) => {
    const list = node("dl");
    for (const [key, value] of pairs) list.append(node("dt", key), node("dd", value));
    return list;
  };
  const state = (i) => {                         // what the host had observed of itself by then
    const known = new Map();
    for (let j = 0; j <= i; j++) {
      if (lane[j] !== lane[i]) continue;
      if (kind[j] === "start" || kind[j] === "restart") known.clear();
      if (kind[j] === "observe") for (const [key, value] of fields(j)) known.set(key, value);
    }
    return [...known];
  };
  const describe = (i) => {
    if (i < 0) { panel.innerHTML = idle; return; }
    const parts = [node("p", `${kind[i]} ${host(i)}`, "what"), node("p", `${stamp(time[i])}   event ${index[i]}`, "when")];
    const pairs = message(i) ? [["from", host(cause[i])], ["to", host(i)], ...fields(cause[i]).filter(([key]) => key === "body"), ...fields(i)] : fields(i);
    if (message(i)) pairs.push(["in flight", ((time[i] - time[cause[i]]) / 1e3).toFixed(3) + " ms"]);
    if (completes(i)) pairs.unshift(...fields(cause[i]).filter(([key]) => key === "function" || key === "argument"));
    parts.push(table(pairs));
    const links = [];
    if (cause[i] >= 0) links.push(link(cause[i], "caused by"));
    for (let j = i + 1; j < count && links.length < 8; j++) if (cause[j] === i) links.push(link(j, "led to"));
    for (const each of links) { parts.push(each, node("br")); }
    const known = lane[i] >= 0 ? state(i) : [];
    if (known.length) parts.push(node("h2", `${host(i)} at that moment`), table(known));
    if (i === selected && past) {
      const lanes = new Set();
      let events = 0;
      past.forEach((inside, j) => { if (inside) { events++; if (lane[j] >= 0) lanes.add(lane[j]); } });
      parts.push(node("p", `Its causal past: ${events - 1} events on ${lanes.size} hosts (blue). Esc lets go.`, "hint"));
    }
    panel.replaceChildren(...parts);
  };

  // ---- the pointer --------------------------------------------------------------------------------------------------------
  const distance = (px, py, x1, y1, x2, y2) => {
    const dx = x2 - x1, dy = y2 - y1, length = dx * dx + dy * dy;
    const share = length ? Math.min(Math.max(((px - x1) * dx + (py - y1) * dy) / length, 0), 1) : 0;
    return Math.hypot(px - x1 - share * dx, py - y1 - share * dy);
  };
  const pick = (event) => {
    const frame = svg.getBoundingClientRect(), px = event.clientX - frame.left, py = event.clientY - frame.top;
    let best = -1, nearest = 9;
    for (let i = 0; i < count; i++) {
      const flight = message(i), bar = completes(i);
      const top = flight || bar ? y[cause[i]] : y[i];
      if (y[i] * scale < py - 12 || top * scale > py + 12 || !shown(i)) continue;
      const ends = flight ? segment(i) : bar ? [x[i], top, x[i], y[i]] : [spot(i), y[i], spot(i), y[i]];
      let away = distance(px, py, ends[0], ends[1] * scale, ends[2], ends[3] * scale);
      if (kind[i] === "observe" || kind[i] === "send") away += 3;
      if (flight && routine[i]) away += 1;
      if (away < nearest) { nearest = away; best = i; }
    }
    return best;
  };
  let frame = 0, drag = null;
  scroll.addEventListener("mousemove", (event) => {
    if (drag) {
      scroll.scrollLeft = drag.left - event.clientX; scroll.scrollTop = drag.top - event.clientY;
      if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 4) drag.moved = true;
      return;
    }
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => {
      const next = pick(event);
      if (next === hovered) return;
      hovered = next; overlay(); describe(hovered >= 0 ? hovered : selected);
      scroll.style.cursor = hovered >= 0 ? "pointer" : "";
    });
  });
  scroll.addEventListener("mouseleave", () => { cancelAnimationFrame(frame); hovered = -1; overlay(); describe(selected); });
  scroll.addEventListener("mousedown", (event) => {
    const frame = scroll.getBoundingClientRect();   // leave the scroll bars alone
    if (event.button || event.clientX - frame.left > scroll.clientWidth || event.clientY - frame.top > scroll.clientHeight) return;
    drag = { x: event.clientX, y: event.clientY, left: scroll.scrollLeft + event.clientX, top: scroll.scrollTop + event.clientY, moved: false };
    scroll.classList.add("drag");
  });
  addEventListener("mouseup", (event) => {
    const was = drag;
    drag = null;
    scroll.classList.remove("drag");
    if (was && !was.moved) { select(pick(event)); scroll.focus(); }
  });
  scroll.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(scale * Math.exp(-event.deltaY * 0.002), event.clientY - scroll.getBoundingClientRect().top);
  }, { passive: false });
  scroll.addEventListener("scroll", () => requestAnimationFrame(() => look()));
  addEventListener("beforeprint", () => look(true));
  const travel = (event) => {
    const frame = view.parentNode.getBoundingClientRect();
    scroll.scrollTop = ((event.clientY - frame.top) / frame.height) * scroll.scrollHeight - scroll.clientHeight / 2;
  };
  view.parentNode.addEventListener("pointerdown", (event) => { view.parentNode.setPointerCapture(event.pointerId); travel(event); });
  view.parentNode.addEventListener("pointermove", (event) => { if (event.buttons) travel(event); });

  // ---- search and keys ----------------------------------------------------------------------------------------------------
  let texts = null;
  const search = () => {
    const wanted = box.value.trim().toLowerCase();
    texts = texts || Array.from({ length: count }, (_, i) => `${kind[i]} ${host(i)} ${summary(i)}`.toLowerCase());
    hits = [];
    if (wanted) for (let i = 0; i < count; i++) if (texts[i].includes(wanted) && shown(i)) hits.push(i);
    found.textContent = wanted ? `${hits.length} found` : "";
    overlay();
  };
  const step = (forward, among) => {
    const from = selected >= 0 ? selected : y.findIndex((value) => value * scale >= scroll.scrollTop) - (forward ? 1 : 0);
    if (among) {
      const next = forward ? among.find((i) => i > from) ?? among[0] : among.findLast((i) => i < from) ?? among.at(-1);
      if (next !== undefined) { select(next); go(next); found.textContent = `${among.indexOf(next) + 1} / ${among.length}`; }
      return;
    }
    for (let i = from + (forward ? 1 : -1); i >= 0 && i < count; i += forward ? 1 : -1) if (shown(i)) { select(i); go(i); return; }
  };
  const violation = () => { const i = place.get(data.violation); if (i !== undefined) { select(i); go(i, 0.6); } };
  const actions = {
    j: () => step(true), k: () => step(false), n: () => step(true, hits), N: () => step(false, hits), v: violation,
    "+": () => zoom(scale * 1.4), "=": () => zoom(scale * 1.4), "-": () => zoom(scale / 1.4), 0: () => zoom(1),
    f: () => { zoom((scroll.clientHeight - 30) / height); scroll.scrollTop = 0; }, "/": () => { box.focus(); box.select(); },
    Escape: () => { box.value = ""; search(); select(-1); scroll.focus(); },
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === box) {
      if (event.key === "Enter") { step(!event.shiftKey, hits); event.preventDefault(); }
      if (event.key === "Escape") actions.Escape();
      return;
    }
    const action = actions[event.key];
    if (action) { event.preventDefault(); action(); }
  });
  all(".bar button").forEach((button) => { button.onclick = () => { actions[button.dataset.key](); scroll.focus(); }; });
  all("[data-event]").forEach((row) => { row.onclick = () => { const i = place.get(+row.dataset.event); if (i !== undefined) { select(i); go(i); } }; });
  boxes.forEach((each) => { each.onchange = () => { refilter(); search(); }; });
  box.oninput = search;

  // ---- begin --------------------------------------------------------------------------------------------------------------
  one(".bar").hidden = one(".map").hidden = panel.hidden = false;
  refilter();
  const asked = place.get(+location.hash.slice(1) || -1), start = place.get(data.violation);
  let touched = false;
  for (const kind of ["wheel", "pointerdown", "keydown"]) addEventListener(kind, () => { touched = true; }, { capture: true, passive: true });
  if (asked !== undefined) select(asked);
  // A notebook may give the frame its size only after the script has run, so the beginning is found anew until someone moves.
  new ResizeObserver(() => {
    const first = asked ?? start;
    if (!touched && first !== undefined) scroll.scrollTop = y[first] * scale - scroll.clientHeight * 0.6;
    look();
  }).observe(scroll);
})();
