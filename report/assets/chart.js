// The picture, on a canvas: what is in sight is drawn anew for every change, everything else costs nothing.
const makeChart = (history, canvas) => {
  const AXIS = 22, HEAD = AXIS + 14, GUTTER = 74, FAR = 3000, FONT = '11px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
  const pen = canvas.getContext("2d");
  const view = {
    width: 800, height: 400, ratio: 1, left: 0, scale: 1, top: 0, tall: 26, axis: history.timed ? "time" : "even",
    part: -1, way: 0, line: true, lanes: [], shown: [], row: new Int32Array(history.count).fill(-1),
    hovered: -1, selected: -1, hits: [], anomaly: -1,
  };
  let colours = {}, letter = 6.6;
  const dress = () => {                           // colours of the style sheet, light or dark
    const style = getComputedStyle(document.documentElement);
    const names = ["paper", "panel", "ink", "soft", "faint", "line", "rule", "red", "wash", "green", "amber", "grey", "blue", "halo"];
    colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    pen.font = FONT;
    letter = pen.measureText("mmmmmmmmmm").width / 10 || 6.6;
  };
  const axis = () => history.axes[view.axis];
  const X = (value) => GUTTER + (value - view.left) * view.scale;
  const end = (i) => { const to = axis().to[i]; return to === Infinity ? axis().end : to; };
  const Y = (i) => HEAD + view.row[i] * view.tall - view.top;
  const room = () => view.width - GUTTER;
  const limits = () => ({ least: Math.min(room() / axis().end, 40), most: view.axis === "even" ? 90 : 30 });
  const spot = (i) => Y(i) + view.tall * (view.tall >= 26 ? 0.7 : 0.5);      // the height of moments: below the words
  // What is shown: one part, or all of them; `clients`, if given, are the only ones.
  const choose = (part, clients = null) => {
    view.part = part;
    view.way = 0;
    view.lanes = history.lanesOf((i) => (part < 0 || history.part[i] === part) && (!clients || clients.has(history.laneOf[history.process[i]])));
    view.row.fill(-1);
    for (const { row, list } of view.lanes) for (const i of list) view.row[i] = row;
    view.shown = Array.from({ length: history.count }, (_, i) => i).filter((i) => view.row[i] >= 0);
    history.evenOut(view.shown);
  };
  const partInSight = () => (view.part >= 0 ? view.part : history.parts.length === 1 ? 0 : view.selected >= 0 ? history.part[view.selected] : -1);
  const orderOf = (part) => (part < 0 ? undefined : history.orders[part][part === partInSight() ? view.way : 0] ?? history.orders[part][0]);

  // ---- bars -----------------------------------------------------------------------------------------------------------------
  const ending = [...history.orders.keys()].filter((part) => history.orders[part][0]?.stuck >= 0);
  const inks = () => [colours.green, colours.grey, colours.amber];
  const label = (i, x, width, y, high) => {
    const letters = Math.floor((width - 8) / letter);
    if (letters < 1 || high < 11) return;
    const name = view.part >= 0 ? history.parts[view.part][0] : "";     // which the part's operations need not repeat
    const call = history.text(history.call[i]).replace(`(${name}, `, "(").replace(`(${name})`, "()"), result = history.outcome[i] === 2 ? "?" : history.text(history.result[i]);
    const inside = call.replace(/^[^(]*\(|\)$/g, "");
    const choices = [result ? `${call} → ${result}` : call, call.endsWith("()") && result ? `→${result}` : call, result && call.endsWith("()") ? result : inside];
    const told = choices.find((text) => text.length <= letters) ?? (letters >= 5 ? `${choices[0].slice(0, letters - 1)}…` : "");
    if (!told) return;
    pen.fillStyle = history.outcome[i] === 1 ? colours.soft : colours.ink;
    pen.fillText(told, x + 5, y + high * (high >= 20 ? 0.38 : 0.5) + 4);
  };
  const bar = (i, y, high, next = Infinity) => {
    const from = axis().from[i], pending = axis().to[i] === Infinity, gave = axis().gave[i];
    const x = Math.max(X(from), GUTTER - 4), until = pending ? (gave === Infinity ? X(axis().end) : Math.max(X(gave), x + 3)) : X(axis().to[i]);
    const width = Math.max(Math.min(until, view.width + 4) - x, 2), ink = inks()[history.outcome[i]];
    pen.globalAlpha = history.outcome[i] === 1 ? 0.16 : 0.26;
    pen.fillStyle = ink;
    pen.fillRect(x, y, width, high);
    pen.globalAlpha = 1;
    if (width > 4) {
      pen.fillRect(x, y, 2, high);
      if (!pending) pen.fillRect(x + width - 1, y, 1, high);
    }
    if (pending && width > 4) {
      pen.strokeStyle = ink;
      pen.lineWidth = 1;
      pen.setLineDash([5, 3]);
      pen.beginPath();
      for (const line of [y + 0.5, y + high - 0.5]) { pen.moveTo(x, line); pen.lineTo(x + width, line); }
      pen.stroke();
      pen.setLineDash([]);
    }
    if (history.outcome[i] === 1 && width > 6 && width < 5 * letter) {  // certainly nothing happened: struck through
      pen.strokeStyle = colours.faint;
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(x + 2, y + high / 2);
      pen.lineTo(x + width - 1, y + high / 2);
      pen.stroke();
    }
    label(i, x, pending ? Math.min(X(axis().end), view.width, next - 4) - x : width, y, high);
  };
  const drawLane = ({ row, list, open }) => {
    const y = HEAD + row * view.tall - view.top, pad = view.tall > 12 ? 3 : view.tall > 5 ? 1 : 0, high = view.tall - 2 * pad;
    const [first, last] = inSight(list, axis(), view.left, view.left + room() / view.scale), ink = inks(), { from, to, gave } = axis();
    // Nobody knows when, if ever, they take effect: from the first of them on the lane is open to the right.
    if (open !== undefined && X(from[open]) < view.width) {
      const left = Math.max(X(from[open]), GUTTER), right = Math.min(X(axis().end), view.width);
      pen.strokeStyle = ink[2];
      pen.lineWidth = 1;
      pen.setLineDash([5, 3]);
      pen.beginPath();
      pen.moveTo(left, y + pad + high - 0.5);
      pen.lineTo(right, y + pad + high - 0.5);
      pen.stroke();
      pen.setLineDash([]);
    }
    let painted = -1;                             // the last pixel that has a bar already
    for (let k = first; k < last; k++) {
      const i = list[k], pending = to[i] === Infinity, stop = X(pending ? gave[i] : to[i]);
      if (stop - X(from[i]) > 1.5) {
        bar(i, y + pad, high, pending && k + 1 < list.length ? X(from[list[k + 1]]) : Infinity);
        painted = Math.max(painted, Math.min(stop, view.width));
        continue;
      }
      if (stop <= painted + 0.5) continue;
      const x = Math.max(X(from[i]), painted);
      painted = Math.max(stop, x + 1);
      pen.globalAlpha = 0.5;
      pen.fillStyle = ink[history.outcome[i]];
      pen.fillRect(x, y + pad, painted - x, high);
      pen.globalAlpha = 1;
    }
    return last - first;
  };

  // ---- the order ----------------------------------------------------------------------------------------------------------------
  const drawOrder = (order, strong) => {
    const points = history.pointsOf(order, view.axis), { list } = order;
    const from = Math.max(rank(points, view.left, true) - 1, 0), to = Math.min(rank(points, view.left + room() / view.scale) + 1, list.length);
    if (to - from > FAR || to <= from) return;
    const crowded = to - from > 160, middle = (k) => [X(points[k]), spot(list[k])];
    if (strong) {
      pen.strokeStyle = colours.blue;
      pen.globalAlpha = crowded ? 0.3 : 0.75;
      pen.lineWidth = crowded ? 0.8 : 1.3;
      pen.lineJoin = "round";
      pen.beginPath();
      for (let k = from; k < to; k++) pen[k === from ? "moveTo" : "lineTo"](...middle(k));
      pen.stroke();
      pen.globalAlpha = 1;
    }
    const size = clamp(Math.min(view.tall / 5, (room() / (to - from)) * 0.9), 1.2, 3.6);
    pen.fillStyle = colours.blue;
    pen.strokeStyle = colours.paper;
    pen.lineWidth = 1.2;
    for (let k = from; k < to; k++) {
      const [x, y] = middle(k);
      if (x < GUTTER - 4 || x > view.width + 4) continue;
      pen.beginPath();
      pen.arc(x, y, size, 0, 2 * Math.PI);
      pen.fill();
      if (size > 2.5) pen.stroke();
    }
    if (!strong || view.tall < 18) return;
    // What the operations made of the state, wherever there is room for it.
    pen.fillStyle = colours.blue;
    let free = GUTTER;
    for (let k = Math.max(from, 0); k < to; k++) {
      const before = k ? order.after[k - 1] : history.initial, told = history.text(order.after[k]), x = X(points[k]);
      if (order.after[k] === before || told.length > 24 || x < free || x + told.length * letter > view.width) continue;
      tag(told, x + 7, spot(list[k]));
      free = x + told.length * letter + 14;
    }
  };
  const tag = (told, x, y) => {                   // a state, on a line's corner
    pen.font = FONT.replace("11px", "9.5px");
    const width = pen.measureText(told).width;
    pen.fillStyle = colours.paper;
    pen.globalAlpha = 0.8;
    pen.fillRect(x - 2, y - 6, width + 4, 10);
    pen.globalAlpha = 1;
    pen.fillStyle = colours.blue;
    pen.fillText(told, x, y + 2);
    pen.font = FONT;
  };

  // ---- what stands out ------------------------------------------------------------------------------------------------------------
  // Where the bar of an operation ends to the eye: one that never ended is covered by what its client did next.
  const seenTo = (i) => {
    if (axis().to[i] !== Infinity) return axis().to[i];
    const { list } = view.lanes[view.row[i]], next = list[rank(list, i)];
    return next === undefined ? axis().end : Math.max(axis().from[next], axis().from[i]);
  };
  const frame = (i, colour, thick, dash = [], out = 0) => {
    if (view.row[i] < 0) return;
    const x = clamp(X(axis().from[i]), GUTTER, view.width + 4), to = clamp(X(seenTo(i)), GUTTER, view.width + 6);
    if (to <= GUTTER || x > view.width) return;
    pen.strokeStyle = colour;
    pen.lineWidth = thick;
    pen.setLineDash(dash);
    pen.strokeRect(x - 1 - out, Y(i) + 1.5 - out, Math.max(to - x + 2, 4) + 2 * out, Math.max(view.tall - 3, 2) + 2 * out);
    pen.setLineDash([]);
  };
  const flag = (i, told, colour) => {             // a word above a bar
    if (view.row[i] < 0 || X(axis().from[i]) > view.width || X(end(i)) < GUTTER) return;
    pen.font = `bold ${FONT}`;
    const width = pen.measureText(told).width + 10, x = clamp(X(axis().from[i]) - 1, GUTTER + 2, Math.max(view.width - width - 4, GUTTER));
    const y = Math.max(Y(i) - 14, AXIS);
    pen.fillStyle = colour;
    pen.fillRect(x, y, width, 15);
    pen.fillStyle = colours.paper;
    pen.fillText(told, x + 5, y + 11);
    pen.font = FONT;
  };
  const drawEnd = (order) => {                    // where a partial order ends
    if (order.stuck < 0) return;
    for (const i of order.reasons.keys()) if (i !== order.stuck) frame(i, colours.amber, 1.6, [4, 3]);
    const points = history.pointsOf(order, view.axis), k = order.list.length - 1, stuck = order.stuck;
    pen.globalAlpha = 0.22;
    pen.fillStyle = colours.red;
    if (view.row[stuck] >= 0) pen.fillRect(Math.max(X(axis().from[stuck]), GUTTER), Y(stuck) + 2, Math.max(X(end(stuck)) - Math.max(X(axis().from[stuck]), GUTTER), 3), view.tall - 4);
    pen.globalAlpha = 1;
    frame(stuck, colours.red, 2.4);
    if (k >= 0 && view.row[stuck] >= 0) {         // from the last that could be placed to the one that cannot
      const x = X(points[k]), y = spot(order.list[k]), goal = clamp((X(axis().from[stuck]) + X(end(stuck))) / 2, X(points[k]), X(end(stuck)));
      pen.strokeStyle = colours.red;
      pen.lineWidth = 1.6;
      pen.setLineDash([3, 3]);
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(goal, spot(stuck));
      pen.stroke();
      pen.setLineDash([]);
      pen.beginPath();
      const cross = Math.min(5, view.tall / 4), cy = spot(stuck);
      pen.moveTo(goal - cross, cy - cross); pen.lineTo(goal + cross, cy + cross);
      pen.moveTo(goal + cross, cy - cross); pen.lineTo(goal - cross, cy + cross);
      pen.lineWidth = 2.4;
      pen.stroke();
    }
    if (order === orderOf(partInSight())) flag(stuck, "cannot be placed", colours.red);
  };
  const drawCycle = (cycle) => {
    const [, operations, steps] = cycle;
    operations.forEach((i, place) => frame(i, colours.red, place === operations.length - 1 ? 2.4 : 1.6));
    for (const i of operations) flag(i, `T${history.id[i]}`, colours.red);
    for (const [before, after, kind] of steps) {
      if (view.row[before] < 0 || view.row[after] < 0) continue;
      const centre = (i) => [X((axis().from[i] + end(i)) / 2), spot(i)], [x1, y1] = centre(before), [x2, y2] = centre(after);
      const far = Math.hypot(x2 - x1, y2 - y1) || 1, bend = Math.min(40, far / 3), mx = (x1 + x2) / 2 + ((y2 - y1) / far) * bend, my = (y1 + y2) / 2 - ((x2 - x1) / far) * bend;
      const away = Math.hypot(x2 - mx, y2 - my) || 1, ux = (x2 - mx) / away, uy = (y2 - my) / away;
      pen.strokeStyle = pen.fillStyle = colours.red;
      pen.lineWidth = 1.6;
      pen.setLineDash(kind === "realtime" || kind === "process" ? [4, 3] : []);
      pen.beginPath();
      pen.moveTo(x1, y1);
      pen.quadraticCurveTo(mx, my, x2, y2);
      pen.stroke();
      pen.setLineDash([]);
      pen.beginPath();
      pen.moveTo(x2, y2);
      pen.lineTo(x2 - 9 * ux - 4 * uy, y2 - 9 * uy + 4 * ux);
      pen.lineTo(x2 - 9 * ux + 4 * uy, y2 - 9 * uy - 4 * ux);
      pen.fill();
      const width = pen.measureText(kind).width + 6, tx = (x1 + 2 * mx + x2) / 4, ty = (y1 + 2 * my + y2) / 4;
      pen.fillStyle = colours.paper;
      pen.fillRect(tx - width / 2, ty - 7, width, 14);
      pen.fillStyle = colours.red;
      pen.fillText(kind, tx - width / 2 + 3, ty + 4);
    }
  };

  // ---- what is around ----------------------------------------------------------------------------------------------------------------
  const drawGround = () => {
    pen.fillStyle = colours.paper;
    pen.fillRect(0, 0, view.width, view.height);
    for (const { row } of view.lanes) {
      const y = HEAD + row * view.tall - view.top;
      if (row % 2 || y + view.tall < AXIS || y > view.height) continue;
      pen.fillStyle = colours.panel;
      pen.globalAlpha = 0.55;
      pen.fillRect(GUTTER, y, room(), view.tall);
      pen.globalAlpha = 1;
    }
    if (history.bands.length) drawBands();
  };
  // Bands, and below the lanes what they are, each in the first of four rows that has room.
  const drawBands = () => {
    const small = letter * 0.87, free = [-Infinity, -Infinity, -Infinity, -Infinity], labels = [];
    const seen = history.bands.filter(({ [view.axis]: [from, to] }) => X(to) >= GUTTER && X(from) <= view.width);
    for (const { what, [view.axis]: [from] } of seen) {
      const x = Math.max(X(from), GUTTER), row = free.findIndex((until) => until < x), most = Math.floor((view.width - x - 6) / small);
      if (row < 0 || most < 3) continue;
      const told = what.length > most ? `${what.slice(0, most - 1)}…` : what;
      free[row] = x + 10 + told.length * small;
      labels.push([told, x + 3, row]);
    }
    const rows = labels.reduce((most, [, , row]) => Math.max(most, row + 1), 1), bottom = HEAD + view.lanes.length * view.tall - view.top;
    const foot = Math.min(bottom + 6 + 11 * rows, view.height);
    pen.fillStyle = colours.red;
    for (const { [view.axis]: [from, to] } of seen) {
      const x = Math.max(X(from), GUTTER);
      pen.globalAlpha = 0.09;
      pen.fillRect(x, AXIS, Math.max(X(to), x + 1) - x, foot - AXIS);
      pen.globalAlpha = 0.5;
      pen.fillRect(x, AXIS, 1, foot - AXIS);
    }
    pen.globalAlpha = 1;
    pen.font = FONT.replace("11px", "9.5px");
    for (const [told, x, row] of labels) pen.fillText(told, x, foot - 4 - 11 * (rows - 1 - row));
    pen.font = FONT;
  };
  const drawAxis = () => {
    const even = view.axis === "even", least = tickStep(view.scale, 90, 1), step = even ? Math.max(least, 1) : least;
    pen.fillStyle = colours.paper;
    pen.fillRect(0, 0, view.width, AXIS);
    pen.fillStyle = colours.line;
    pen.fillRect(0, AXIS - 1, view.width, 1);
    const last = Math.min(view.left + room() / view.scale, even ? axis().events.length - 1 : axis().end);
    for (let value = Math.max(Math.ceil(view.left / step), 0) * step; value <= last; value += step) {
      const x = X(value);
      pen.fillStyle = colours.soft;
      const told = even ? `#${axis().events[Math.round(value)]}` : `${tickText(value, step)} s`;
      if (x + told.length * letter < view.width) pen.fillText(told, x + 2, AXIS - 7);
    }
  };
  const drawGutter = () => {
    pen.fillStyle = colours.paper;
    pen.fillRect(0, AXIS, GUTTER, view.height);
    pen.fillStyle = colours.line;
    pen.fillRect(GUTTER - 1, AXIS, 1, view.height);
    pen.fillStyle = colours.soft;
    pen.fillText(view.axis === "even" ? "event" : "", 8, AXIS - 7);
    const every = Math.max(Math.ceil(11 / view.tall), 1);
    for (const { row, names } of view.lanes) {
      const y = HEAD + row * view.tall - view.top;
      if (y + view.tall < AXIS || y > view.height || row % every) continue;
      const told = names.length > 1 ? `${names[0]} +${names.length - 1}` : names[0], most = Math.floor((GUTTER - 12) / letter);
      pen.fillText(told.length > most ? `${told.slice(0, most - 1)}…` : told, 8, y + view.tall / 2 + 4);
    }
  };
  const draw = () => {
    const start = performance.now(), bottom = HEAD + view.lanes.length * view.tall;
    pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
    pen.font = FONT;
    drawGround();
    pen.save();
    pen.beginPath();
    pen.rect(GUTTER, AXIS, room(), view.height);
    pen.clip();
    drawGrid();
    let seen = 0;
    for (const lane of view.lanes) {
      const y = HEAD + lane.row * view.tall - view.top;
      if (y + view.tall >= AXIS && y <= view.height) seen += drawLane(lane);
    }
    const chosen = partInSight();
    if (view.line && history.parts.length) {
      const others = view.part < 0 && seen < FAR ? history.orders.keys() : [];
      for (const part of others) if (part !== chosen && history.orders[part].length) drawOrder(history.orders[part][0], false);
      if (chosen >= 0 && orderOf(chosen)) drawOrder(orderOf(chosen), true);
    }
    if (!ending.length && view.anomaly < 0) for (const i of history.evidence) frame(i, colours.red, 1.6);
    for (const part of ending) if (view.part < 0 || view.part === part) drawEnd(orderOf(part));
    if (view.anomaly >= 0) drawCycle(history.cycles[view.anomaly]);
    for (const i of view.hits.slice(0, FAR)) frame(i, colours.amber, 2);
    for (const [i, colour, thick] of [[view.selected, colours.blue, 2.4], [view.hovered, colours.ink, 1.2]]) if (i >= 0) frame(i, colour, thick, [], 2);
    pen.restore();
    if (bottom - view.top < view.height) { pen.fillStyle = colours.line; pen.fillRect(0, bottom - view.top, view.width, 1); }
    drawAxis();
    drawGutter();
    performance.measure("draw", { start, end: performance.now() });
  };
  const drawGrid = () => {
    const step = tickStep(view.scale, 90, 1), last = Math.min(view.left + room() / view.scale, axis().end);
    pen.fillStyle = colours.rule;
    for (let value = Math.max(Math.ceil(view.left / step), 0) * step; value <= last; value += step) pen.fillRect(X(value), AXIS, 1, view.height);
  };
  const resize = (width, height, ratio) => {
    Object.assign(view, { width, height, ratio });
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  };
  const at = (px, py) => {                        // the operation at a pixel, -1: none
    const lane = view.lanes[Math.floor((py - HEAD + view.top) / view.tall)];
    if (!lane || px < GUTTER || py < AXIS) return -1;
    return operationAt(lane.list, axis(), view.left + (px - GUTTER) / view.scale, 4 / view.scale);
  };
  return { view, dress, draw, resize, choose, at, axis, X, Y, end, room, limits, partInSight, orderOf, HEAD, GUTTER };
};
