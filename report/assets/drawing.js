// The picture of a run, drawn for a window: lanes spread over its width, heights zoom, quiet stretches fold, texts stand where
// there is room.  `lay()` decides where everything is, `paint()` draws what is always there, `show()` the messages in sight.
const makeDrawing = (run, svg) => {
  const AXIS = 60, CHUNK = 900, MOST = 72, QUIET = 42;
  const layer = (name) => svg.querySelector("g." + name);
  const grid = layer("grid"), shapes = layer("shapes"), chunks = layer("chunks"), words = layer("words");
  const order = Array.from({ length: run.count }, (_, i) => i).sort((a, b) => run.y[a] - run.y[b] || a - b);
  const operationsAt = run.operationOf, strikeAt = new Map(run.strikes.map((strike) => [strike[0], strike]));
  const evidenceAt = new Map(run.evidence.map(([place], number) => [place, number + 1]));
  const turning = new Set(run.spans.map(([, , from]) => from));      // where a role, a term or a state begins
  const view = {
    scale: 1, spread: 1, width: 800, fold: true, alone: false, past: null, room: 0, opened: new Set(), hiddenTypes: new Set(), hiddenLanes: new Set(),
    hiddenKinds: new Set(), x: [], Y: new Float64Array(run.count + 1), folded: new Uint8Array(run.count), folds: [], height: 0, gutter: 0,
  };

  // ---- small tools --------------------------------------------------------------------------------------------------------
  const fix = (value) => Math.round(value * 10) / 10;
  const put = (parent, tag, attributes, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, typeof value === "number" ? fix(value) : value);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  };
  const use = (parent, id, x, y, style = "") => put(parent, "use", { href: "#" + id, x, y, class: style });
  const pen = document.createElement("canvas").getContext("2d"), widths = new Map();
  const wide = (text, size, bold) => {
    const key = (bold ? "b" : "") + size + text;
    if (!widths.has(key)) {
      pen.font = `${bold ? "bold " : ""}${size}px ${getComputedStyle(document.body).fontFamily}`;
      widths.set(key, pen.measureText(text).width);
    }
    return widths.get(key);
  };
  const fit = (text, most, size, bold) => {       // as much of a text as `most` pixels hold
    if (wide(text, size, bold) <= most) return text;
    let low = 0, high = text.length;
    while (low < high) { const middle = (low + high + 1) >> 1; if (wide(text.slice(0, middle) + "…", size, bold) <= most) low = middle; else high = middle - 1; }
    return low ? text.slice(0, low).trimEnd() + "…" : "";
  };
  const wrap = (text, most, size, lines, bold) => {     // in at most so many lines, broken at spaces
    const out = [];
    for (let rest = text; rest && out.length < lines;) {
      let part = fit(rest, most, size, bold);
      if (part !== rest && out.length < lines - 1) { const space = rest.slice(0, part.length).lastIndexOf(" "); part = rest.slice(0, space > 0 ? space : part.length - 1); }
      out.push(part);
      rest = part.endsWith("…") ? "" : rest.slice(part.length).trimStart();
    }
    return out;
  };
  // Which stretches of which rows are taken by text.
  const makeRoom = () => {
    const rows = new Map();
    const span = function* (y) { for (let row = Math.floor((y - 7.5) / 3); row <= Math.floor((y + 1) / 3); row++) yield row; };
    return {
      take: (x, y, width) => { for (const row of span(y)) { if (!rows.has(row)) rows.set(row, []); rows.get(row).push([x, x + width]); } },
      free: (x, y, width) => { for (const row of span(y)) for (const [left, right] of rows.get(row) ?? []) if (x < right && left < x + width) return false; return true; },
    };
  };
  let room = makeRoom();
  // Lines of text at the first of some spots, [x, y, anchor], that is free; `force` puts them at the first anyway.
  const label = (parent, text, spots, { style = "", size = 10, bold = false, most = 1e4, force = false } = {}) => {
    const lines = [text].flat().map((line) => fit(line, most, size, bold)).filter(Boolean), widths = lines.map((line) => wide(line, size, bold) + 2);
    const left = ([x, , anchor], k) => (anchor === "end" ? x - widths[k] : anchor === "middle" ? x - widths[k] / 2 : x), row = size + 1.5;
    const spot = spots.find((each) => lines.every((_, k) => room.free(left(each, k), each[1] + row * k, widths[k]))) ?? (force ? spots[0] : undefined);
    if (!lines.length || !spot) return false;
    lines.forEach((line, k) => {
      room.take(left(spot, k), spot[1] + row * k, widths[k]);
      put(parent, "text", { class: style, x: spot[0], y: spot[1] + row * k, ...(spot[2] && { "text-anchor": spot[2] }) }, line);
    });
    return true;
  };
  const claim = (x, y, width) => room.take(x, y, width);

  // ---- what is to be seen ---------------------------------------------------------------------------------------------------
  const shown = (i) => {
    const lane = run.lane[i];
    if (lane >= 0 && view.hiddenLanes.has(lane)) return false;
    if (view.alone && view.past && !view.past[i] && !evidenceAt.has(i) && !strikeAt.has(i)) return false;
    if (run.type[i] >= 0) return !view.hiddenTypes.has(run.type[i]) && !(run.routine[i] && view.hiddenKinds.has("routine"));
    return !view.hiddenKinds.has(run.kind[i]);
  };
  const DULL = new Set(["disk", "killpoint", "start"]);
  const notable = (i) => {
    if (evidenceAt.has(i) || i === run.violation) return true;
    if (!shown(i) || (run.type[i] >= 0 && run.routine[i]) || DULL.has(run.kind[i])) return false;
    return run.kind[i] !== "observe" || turning.has(i);
  };
  const visible = (i) => shown(i) && !view.folded[i];
  const inPast = (i) => !view.past || view.past[i] > 0 || evidenceAt.has(i);

  // ---- where things are -------------------------------------------------------------------------------------------------
  const spread = () => {
    const lanes = run.lanes.filter((each) => !view.hiddenLanes.has(each.number));
    const longest = Math.max(0, ...run.strikes.map((strike) => wide(strike[1], 10.5, true) + 24));
    view.gutter = run.strikes.length ? Math.min(Math.max(longest, 118), Math.max(126, view.width * 0.17)) : 0;
    const weight = (each) => (each.client ? 1.3 : 1), least = (each) => (each.client ? 92 : 64), most = (each) => (each.client ? 420 : 300);
    const room = (view.width - AXIS - view.gutter - 30) * view.spread;
    const unit = room / lanes.reduce((sum, each) => sum + weight(each), 0);
    let x = AXIS + view.gutter + 26;
    view.x = run.lanes.map(() => NaN);
    view.column = [];
    for (const each of lanes) {
      const column = Math.min(Math.max(unit * weight(each), least(each)), most(each) * Math.max(view.spread, 1));
      view.x[each.number] = x;
      view.column[each.number] = column;
      x += column;
    }
    view.right = Math.max(x - 22, view.width - 2);
  };
  const stack = () => {                            // heights: zoomed, quiet stretches folded, room below the violation
    const from = [0], to = [0];
    let base = 0, screen = 0, last = -1, passed = Infinity;
    view.folds = [];
    const step = (i, y) => {
      const zoom = Math.max(view.scale, 1), hides = passed < y;      // looking closer does not fold more
      let gap = (y - base) * view.scale;
      if (view.fold && !view.opened.has(last)) {
        if (!hides) gap = Math.min(gap, MOST * zoom);                 // a mere pause needs no mark
        else if (gap > 1.5 * MOST * zoom) {
          view.folds.push({ after: last, from: base, to: y, top: screen, bottom: screen + QUIET });
          gap = QUIET;
        }
      }
      from.push(base = y); to.push(screen += gap);
      passed = Infinity;
      if (i >= 0) last = i;
    };
    for (const i of order) {
      if (!notable(i)) { if (run.y[i] > base && shown(i) && run.kind[i] !== "start" && run.kind[i] !== "observe") passed = Math.min(passed, run.y[i]); continue; }
      step(i, run.y[i]);
      if (i === run.violation) { from.push(base); to.push(screen += view.room); }
    }
    step(-1, run.height);
    view.height = screen;
    view.folded.fill(0);
    let k = 0, f = 0;
    for (const i of order) {
      const y = run.y[i];
      while (k < from.length && from[k] < y) k++;
      const gap = k ? from[k] - from[k - 1] : 0;
      view.Y[i] = gap ? to[k - 1] + ((y - from[k - 1]) / gap) * (to[k] - to[k - 1]) : to[k];
      while (f < view.folds.length && view.folds[f].to <= y) f++;
      if (f < view.folds.length && y > view.folds[f].from && y < view.folds[f].to) view.folded[i] = 1;
    }
    view.Y[run.count] = view.height - 12;
  };
  const lay = () => { spread(); stack(); };
  const spot = (i) => {                            // where the mark of an event is
    const x = run.lane[i] < 0 ? AXIS + 9 : view.x[run.lane[i]];
    return x + ({ disk: 9, killpoint: -9, log: -15 }[run.kind[i]] ?? 0);
  };

  // ---- messages -----------------------------------------------------------------------------------------------------------
  const head = (dx, dy) => {
    const length = Math.hypot(dx, dy) || 1, ux = dx / length, uy = dy / length;
    return `m0 0l${fix(-7 * ux - 2.7 * uy)} ${fix(-7 * uy + 2.7 * ux)}l${fix(5.4 * uy)} ${fix(-5.4 * ux)}z`;
  };
  const wall = (flight) => run.cuts.some(([from, to, inside]) => (              // a cut stops a message at the part that is cut off
    flight.end >= from && flight.end < to && inside.includes(flight.to) && !inside.includes(run.lane[flight.from])));
  const ends = (flight) => {                       // a message that did not arrive ends on the way
    const x1 = view.x[run.lane[flight.from]], y1 = view.Y[flight.from], x2 = view.x[flight.to], way = Math.sign(x2 - x1);
    if (flight.end < 0) return [x1, y1, x1 + 0.3 * (x2 - x1), y1 + 8];
    if (run.kind[flight.end] === "deliver") return [x1, y1, x2, view.Y[flight.end]];
    if (run.time[flight.end] > run.time[flight.from]) return [x1, y1, x2 - 14 * way, view.Y[flight.end]];
    const down = 10 * Math.min(Math.abs(flight.to - run.lane[flight.from]), 4) * Math.min(view.scale, 1);   // so that those to several hosts can be told apart
    return wall(flight) ? [x1, y1, x2 - 22 * way, y1 + 9] : [x1, y1, x1 + way * Math.min(30, Math.abs(x2 - x1) / 2), y1 + 1 + down];
  };
  const drawable = (flight) => {
    const { from, end, to } = flight;
    return Number.isFinite(view.x[to]) && Number.isFinite(view.x[run.lane[from]]) && shown(end < 0 ? from : end) && !view.folded[from] && (end < 0 || !view.folded[end]);
  };
  const arrow = (flight) => {
    const [x1, y1, x2, y2] = ends(flight), arrived = flight.end >= 0 && run.kind[flight.end] === "deliver";
    if (x1 === x2) return `M${fix(x1 + 3)} ${fix(y1)}L${fix(x1 + 18)} ${fix((y1 + y2) / 2)}L${fix(x1 + 4)} ${fix(y2)}${head(-14, (y2 - y1) / 2)}`;
    const side = Math.sign(x2 - x1), left = x1 + 3 * side, right = arrived ? x2 - 4 * side : x2;
    const line = `M${fix(left)} ${fix(y1)}L${fix(right)} ${fix(y2)}`;
    if (flight.end < 0) return line;
    return line + (arrived ? head(right - left, y2 - y1) : "m-3.5-3.5l7 7m0-7l-7 7");
  };
  const style = (flight) => {
    const dropped = flight.end >= 0 && run.kind[flight.end] === "drop";
    const known = flight.end < 0 ? flight.from === run.violation : inPast(flight.end);
    return `m t${run.type[flight.from] % 8}${run.routine[flight.from] ? " r" : ""}${flight.copy ? " d" : ""}${dropped ? " x" : ""}${flight.end < 0 ? " o" : ""}${known ? " p" : ""}`;
  };
  const name = (parent, flight) => {               // what was said, as much as fits on the arrow; what was lost, next to the cross
    const { from, end } = flight, [x1, y1, x2, y2] = ends(flight), way = Math.sign(x2 - x1), span = Math.abs(x2 - x1);
    if (run.routine[from] || end < 0 || !way || (view.past && !inPast(end))) return;
    const type = run.types[run.type[from]], tint = `t${run.type[from] % 8}`;
    if (run.kind[end] === "drop") {
      label(parent, `${type} → ${run.lanes[flight.to].name}: ${run.field(end, "why") || "dropped"}`, [[x2 + 7 * way, y2 + 3, way < 0 ? "end" : "start"]], { style: "lost", size: 9.5, most: 200 });
      return;
    }
    const slope = Math.abs(y2 - y1) / span, spots = (width) => [(span - width / 2 - 10) / span, (width / 2 + 10) / span, 0.5].map((share) => (
      [x1 + share * (x2 - x1), y1 + share * (y2 - y1) - 3 - Math.min(slope * width * 0.4, 12), "middle"]));
    const full = run.brief(from), most = Math.min(span - 26, 280);
    const told = full.length > type.length && wide(full, 9.5) > most ? fit(full, most, 9.5) : full;
    for (const text of told.length > type.length + 4 && view.scale >= 0.8 && slope < 0.14 ? [told, type] : [type]) {
      const width = wide(text, 9.5);
      if (width <= span - 14 && label(parent, text, spots(width), { style: `name ${tint}`, size: 9.5 })) return;
    }
  };
  const tick = (i) => {                            // disk operations to the right of the lane, kill points and log lines to the left
    const x = view.x[run.lane[i]], y = fix(view.Y[i]);
    if (run.kind[i] === "killpoint") return ["kp", `M${fix(x - 12)} ${y}l3-2 3 2-3 2z`];
    if (run.kind[i] === "log") return ["log", `M${fix(x - 17)} ${y}h4`];
    return run.field(i, "operation").startsWith("fsync") ? ["fsync", `M${fix(x + 6)} ${y}h9`] : ["disk", `M${fix(x + 6)} ${y}h5`];
  };
  let pages = [];
  const cutIntoPages = () => {
    pages = Array.from({ length: Math.floor(view.height / CHUNK) + 1 }, (_, i) => ({ top: i * CHUNK, bottom: (i + 1) * CHUNK, flights: [], ticks: [], drawn: null }));
    const at = (y) => pages[Math.min(Math.max(Math.floor(y / CHUNK), 0), pages.length - 1)];
    for (const flight of run.flights) {
      if (!drawable(flight)) continue;
      const page = at(view.Y[flight.from]);
      page.flights.push(flight);
      page.bottom = Math.max(page.bottom, ends(flight)[3]);
    }
    for (let i = 0; i < run.count; i++) {
      const kind = run.kind[i];
      if ((kind === "disk" || kind === "killpoint" || kind === "log") && run.lane[i] >= 0 && visible(i) && view.scale >= 0.35) at(view.Y[i]).ticks.push(i);
    }
  };
  const drawPage = (page) => {
    const group = page.drawn = put(chunks, "g", {}), paths = new Map();
    const add = (style, path) => paths.set(style, (paths.get(style) ?? "") + path);
    for (const i of page.ticks) { const [style, path] = tick(i); add(style + (inPast(i) ? " p" : ""), path); }
    for (const flight of page.flights) add(style(flight), arrow(flight));
    for (const style of [...paths.keys()].sort()) put(group, "path", { class: style, d: paths.get(style) });
    if (view.scale < 0.3) return;
    const lost = (flight) => flight.end >= 0 && run.kind[flight.end] === "drop";
    for (const flight of page.flights) if (lost(flight)) name(group, flight);     // what was lost matters more than what arrived
    for (const flight of page.flights) if (!lost(flight)) name(group, flight);
  };
  const show = (top, bottom) => {                  // draw what is between these heights, and a little around it
    for (const page of pages) {
      const near = page.bottom >= top - 300 && page.top <= bottom + 300;
      if (near && !page.drawn) drawPage(page);
      if (page.drawn) page.drawn.style.display = near ? "" : "none";
    }
  };
  const parts = { view, fix, put, use, wide, wrap, label, claim, shown, visible, inPast, spot, ends, arrow, evidenceAt, strikeAt, operationsAt, AXIS, grid, shapes, words };
  const paintAll = makePainter(run, svg, parts);
  const paint = () => {
    room = makeRoom();
    for (const each of [grid, shapes, chunks, words]) each.replaceChildren();
    svg.setAttribute("width", fix(view.right));
    svg.setAttribute("height", fix(view.height));
    svg.setAttribute("viewBox", `0 0 ${fix(view.right)} ${fix(view.height)}`);
    paintAll();
    cutIntoPages();
  };
  return { ...parts, lay, paint, show };
};
