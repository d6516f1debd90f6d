// The picture of a run, drawn for a window: lanes spread over its width, heights zoom, quiet stretches fold.
// `lay` decides where everything is, `paint` draws what is always there, `show` the messages in sight.
const makeDrawing = (run, svg) => {
  const PAGE = 900, MOST = 72, QUIET = 42;        // pixels: a page of messages, a mere pause, a fold
  const layer = (name) => svg.querySelector("g." + name);
  const grid = layer("grid"), shapes = layer("shapes"), chunks = layer("chunks"), words = layer("words");
  const order = Array.from({ length: run.count }, (_, i) => i).sort((a, b) => run.y[a] - run.y[b] || a - b);
  const turning = new Set(run.spans.map(([, , from]) => from));      // where a role, a term or a state begins
  const view = {
    scale: 1, spread: 1, width: 800, fold: true, opened: new Set(),  // as asked for; `opened` are folds, by the event above
    past: null, alone: false,                     // the past that is in full colour, and whether nothing else is shown
    tells: ([, what, became]) => {                // a fault, and what became of it, as lines of text beside the axis
      const most = view.gutter - 22, called = wrap(what, most, 10.5, 3, true);
      return [called, view.scale >= 0.5 ? wrap(became, most, 10, 5 - called.length) : []];
    },
    hiddenTypes: new Set(), hiddenLanes: new Set(), hiddenKinds: new Set(),
    room: 0,                                      // below the violation
    axis: 60, gutter: 0, x: [], column: [], right: 0, Y: new Float64Array(run.count + 1), height: 0,
    folds: [], folded: new Uint8Array(run.count),
  };

  // ---- what is to be seen -----------------------------------------------------------------------------------------------
  const inPast = (i) => !view.past || view.past[i] > 0 || run.evidenceOf.has(i);
  const shown = (i) => {
    if (view.hiddenLanes.has(run.lane[i])) return false;
    if (view.alone && !inPast(i) && !run.strikeOf.has(i)) return false;
    if (run.type[i] >= 0) return !view.hiddenTypes.has(run.type[i]) && !(run.routine[i] && view.hiddenKinds.has("routine"));
    return !view.hiddenKinds.has(run.kind[i]);
  };
  const DULL = new Set(["disk", "killpoint", "start"]), INVISIBLE = new Set(["start", "observe"]);
  const notable = (i) => {
    if (run.evidenceOf.has(i) || i === run.violation) return true;
    if (!shown(i) || (run.type[i] >= 0 && run.routine[i]) || DULL.has(run.kind[i])) return false;
    return run.kind[i] !== "observe" || turning.has(i);
  };
  const visible = (i) => shown(i) && !view.folded[i];

  // ---- where things are ---------------------------------------------------------------------------------------------------
  const spread = () => {
    const lanes = run.lanes.filter((each) => !view.hiddenLanes.has(each.number));
    const longest = Math.max(0, ...run.strikes.map((strike) => wide(strike[1], 10.5, true) + 24));
    view.gutter = run.strikes.length ? Math.min(Math.max(longest, 118), Math.max(126, view.width * 0.17)) : 0;
    const weight = (each) => (each.client ? 1.3 : 1), least = (each) => (each.client ? 92 : 64);
    const most = (each) => (each.client ? 420 : 300) * Math.max(view.spread, 1);
    const room = (view.width - view.axis - view.gutter - 30) * view.spread;
    const unit = room / lanes.reduce((sum, each) => sum + weight(each), 0);
    let x = view.axis + view.gutter + 26;
    view.x = run.lanes.map(() => NaN);
    for (const each of lanes) {
      view.x[each.number] = x;
      x += view.column[each.number] = Math.min(Math.max(unit * weight(each), least(each)), most(each));
    }
    view.right = Math.max(x - 22, view.width - 2);
  };
  // Heights are piecewise linear in the table's: `from` to `to`.  A stretch without anything notable is folded, a mere pause
  // shortened, and below the violation there is room for its card.
  const stretches = () => {
    const from = [0], to = [0], zoom = Math.max(view.scale, 1);      // looking closer does not fold more
    let base = 0, screen = 0, last = -1, passed = Infinity, told = 0;
    view.folds = [];
    const step = (y) => {
      let gap = (y - base) * view.scale;
      const folds = view.fold && !view.opened.has(last), hides = passed < y;
      if (folds && !hides) gap = Math.min(gap, MOST * zoom);
      if (folds && hides && gap > 1.5 * MOST * zoom) {
        if (told > screen) { from.push(base); to.push(screen = told); }      // not over the words of a fault
        view.folds.push({ after: last, from: base, to: y, top: screen, bottom: screen + QUIET });
        gap = QUIET;
      }
      from.push(base = y);
      to.push(screen += gap);
      passed = Infinity;
    };
    for (const i of order) {
      if (notable(i)) {
        step(run.y[i]);
        last = i;
        if (run.strikeOf.has(i) && view.scale >= 0.04) told = Math.max(told, screen + 4 + 12 * view.tells(run.strikeOf.get(i)).flat().length);
        if (i === run.violation) { from.push(base); to.push(screen += view.room); }
      } else if (run.y[i] > base && shown(i) && !INVISIBLE.has(run.kind[i])) passed = Math.min(passed, run.y[i]);
    }
    step(run.height);
    view.height = screen;
    return [from, to];
  };
  const stack = () => {
    const [from, to] = stretches();
    let k = 0, f = 0;
    view.folded.fill(0);
    for (const i of order) {
      const y = run.y[i];
      while (from[k] < y) k++;
      const share = k && from[k] > from[k - 1] ? (y - from[k - 1]) / (from[k] - from[k - 1]) : 1;
      view.Y[i] = k ? to[k - 1] + share * (to[k] - to[k - 1]) : to[k];
      while (view.folds[f]?.to <= y) f++;
      if (view.folds[f]?.from < y) view.folded[i] = 1;
    }
    view.Y[run.count] = view.height - 12;
  };
  const lay = () => { spread(); stack(); };
  const OFFSETS = { disk: 9, killpoint: -9, log: -15 };
  const spot = (i) => (run.lane[i] < 0 ? view.axis + 9 : view.x[run.lane[i]] + (OFFSETS[run.kind[i]] ?? 0));

  // ---- messages -------------------------------------------------------------------------------------------------------------
  const head = (dx, dy) => {
    const length = Math.hypot(dx, dy) || 1, ux = dx / length, uy = dy / length;
    return `m0 0l${fix(-7 * ux - 2.7 * uy)} ${fix(-7 * uy + 2.7 * ux)}l${fix(5.4 * uy)} ${fix(-5.4 * ux)}z`;
  };
  const dropped = (flight) => flight.end >= 0 && run.kind[flight.end] === "drop";
  // A cut stops a message at the wall around the part that is cut off.
  const walled = ({ from, end, to }) => run.cuts.some(([first, last, inside]) => (
    end >= first && end < last && inside.includes(to) && !inside.includes(run.lane[from])));
  const ends = (flight) => {                      // a message that did not arrive ends on the way
    const { from, end, to } = flight, x1 = view.x[run.lane[from]], y1 = view.Y[from], x2 = view.x[to], way = Math.sign(x2 - x1);
    if (end < 0) return [x1, y1, x1 + 0.3 * (x2 - x1), y1 + 8];
    if (!dropped(flight)) return [x1, y1, x2, view.Y[end]];
    if (run.time[end] > run.time[from]) return [x1, y1, x2 - 14 * way, view.Y[end]];
    if (walled(flight)) return [x1, y1, x2 - 22 * way, y1 + 9];
    const down = 10 * Math.min(Math.abs(to - run.lane[from]), 4) * Math.min(view.scale, 1);   // those to several hosts part
    return [x1, y1, x1 + way * Math.min(30, Math.abs(x2 - x1) / 2), y1 + 1 + down];
  };
  const drawable = ({ from, end, to }) => {
    const last = end < 0 ? from : end, lanes = [view.x[to], view.x[run.lane[from]]];
    return lanes.every(Number.isFinite) && visible(last) && !view.folded[from];
  };
  const arrow = (flight) => {
    const [x1, y1, x2, y2] = ends(flight).map(fix), side = Math.sign(x2 - x1), middle = fix((y1 + y2) / 2);
    if (!side) return `M${x1 + 3} ${y1}L${x1 + 18} ${middle}L${x1 + 4} ${y2}${head(-14, y2 - middle)}`;
    const arrives = flight.end >= 0 && !dropped(flight), left = x1 + 3 * side, right = x2 - (arrives ? 4 * side : 0);
    const line = `M${fix(left)} ${y1}L${fix(right)} ${y2}`;
    if (arrives) return line + head(right - left, y2 - y1);
    return flight.end < 0 ? line : line + "m-3.5-3.5l7 7m0-7l-7 7";
  };
  const style = (flight) => {
    const { from, end, copy } = flight, known = inPast(end < 0 ? from : end) && (end >= 0 || !view.past);
    const flags = [[run.routine[from], "r"], [copy, "d"], [dropped(flight), "x"], [end < 0, "o"], [known, "p"]];
    return ["m", `t${run.type[from] % 8}`, ...flags.filter(([is]) => is).map(([, flag]) => flag)].join(" ");
  };
  const nameLost = (parent, flight) => {          // what was lost, and why, next to the cross
    const { from, end, to } = flight, [x1, , x2, y2] = ends(flight), left = x2 < x1;
    const told = `${run.typeName(from)} → ${run.lanes[to].name}: ${run.field(end, "why") || "dropped"}`;
    const at = (beyond, down) => [x2 + (left === beyond ? -7 : 7), y2 + down, left === beyond ? "end" : "start"];
    const spots = [at(true, 3), at(true, 12), at(false, 12), at(true, -7), at(true, 21)];
    room.label(parent, told, spots, { style: "lost", size: 9.5, most: 200, own: end });
  };
  const nameArrived = (parent, { from, end }, [x1, y1, x2, y2]) => { // what was said, as much as fits on the arrow
    const type = run.typeName(from), span = Math.abs(x2 - x1), slope = Math.abs(y2 - y1) / span;
    const shares = (width) => [(span - width / 2 - 10) / span, (width / 2 + 10) / span, 0.5, 0.35, 0.65];
    const spots = (width) => shares(width).map((share) => (
      [x1 + share * (x2 - x1), y1 + share * (y2 - y1) - 3 - Math.min(slope * width * 0.4, 12), "middle"]));
    const told = fit(run.brief(from), Math.min(span - 26, 280), 9.5);
    for (const text of told.length > type.length + 4 && view.scale >= 0.8 && slope < 0.14 ? [told, type] : [type]) {
      const width = wide(text, 9.5), options = { style: `name t${run.type[from] % 8}`, size: 9.5, own: end, clear: true };
      if (width <= span - 14 && room.label(parent, text, spots(width), options)) return;
    }
  };
  const tick = (i) => {                           // disk operations to the right of the lane, kill points and logs to the left
    const x = view.x[run.lane[i]], y = fix(view.Y[i]), kind = run.kind[i];
    if (kind === "killpoint") return ["kp", `M${fix(x - 12)} ${y}l3-2 3 2-3 2z`];
    if (kind === "log") return ["log", `M${fix(x - 17)} ${y}h4`];
    if (run.field(i, "failed")) return ["failed", `M${fix(x + 6)} ${fix(view.Y[i] - 3)}l6 6m0-6l-6 6`];
    const durable = run.field(i, "operation").startsWith("fsync");
    return [durable ? "fsync" : "disk", `M${fix(x + 6)} ${y}h${durable ? 9 : 5}`];
  };

  // ---- pages of messages, drawn when they come into sight -------------------------------------------------------------------
  let pages = [], room = makeRoom();
  const cutIntoPages = () => {
    const number = Math.floor(view.height / PAGE) + 1;
    const blank = (_, i) => ({ top: i * PAGE, bottom: (i + 1) * PAGE, flights: [], ticks: [], drawn: null });
    pages = Array.from({ length: number }, blank);
    const at = (y) => pages[Math.min(Math.max(Math.floor(y / PAGE), 0), pages.length - 1)];
    for (const flight of run.flights.filter(drawable)) {
      const page = at(view.Y[flight.from]);
      page.flights.push(flight);
      page.bottom = Math.max(page.bottom, ends(flight)[3]);
    }
    for (let i = 0; i < run.count && view.scale >= 0.35; i++) {
      if (run.kind[i] in OFFSETS && run.lane[i] >= 0 && visible(i)) at(view.Y[i]).ticks.push(i);
    }
  };
  const drawPage = (page) => {
    const group = page.drawn = put(chunks, "g", {}), paths = new Map();
    const add = (style, path) => paths.set(style, (paths.get(style) ?? "") + path);
    for (const i of page.ticks) { const [style, path] = tick(i); add(style + (inPast(i) ? " p" : ""), path); }
    for (const flight of page.flights) add(style(flight), arrow(flight));
    for (const style of [...paths.keys()].sort()) put(group, "path", { class: style, d: paths.get(style) });
    if (view.scale < 0.3) return;
    const worth = ({ from, end, to }) => !run.routine[from] && end >= 0 && inPast(end) && run.lane[from] !== to;
    const told = page.flights.filter(worth);
    for (const flight of told) if (dropped(flight)) nameLost(group, flight);       // what was lost matters more
    for (const flight of told) if (!dropped(flight)) nameArrived(group, flight, ends(flight));
  };
  const show = (top, bottom) => {                 // what is between these heights, and a little around it
    for (const page of pages) {
      const near = page.bottom >= top - 300 && page.top <= bottom + 300;
      if (near && !page.drawn) drawPage(page);
      if (page.drawn) page.drawn.style.display = near ? "" : "none";
    }
  };
  const paint = () => {
    room = makeRoom();
    for (const each of [grid, shapes, chunks, words]) each.replaceChildren();
    svg.setAttribute("width", fix(view.right));
    svg.setAttribute("height", fix(view.height));
    svg.setAttribute("viewBox", `0 0 ${fix(view.right)} ${fix(view.height)}`);
    for (const flight of run.flights.filter(drawable)) {
      if (inPast(flight.end < 0 ? flight.from : flight.end)) room.line(...ends(flight), flight.end);
    }
    paintScenery(run, view, { inPast, grid, shapes, words, room });
    cutIntoPages();
  };
  return { view, lay, paint, show, shown, visible, spot, ends, arrow };
};
