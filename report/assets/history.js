// What one does with the picture of a history: look closer, move, point, click, walk along the order, search, choose a part.
(() => {
  const one = (selector) => document.querySelector(selector), all = (selector) => [...document.querySelectorAll(selector)];
  const history = readHistory(JSON.parse(one("script.data").textContent)), { count } = history;
  const box = one(".chart"), canvas = one(".chart canvas"), chart = makeChart(history, canvas), { view } = chart;
  const tip = one(".tip"), help = one(".help"), panel = one(".panel"), why = one(".why"), strip = one(".strip"), stage = one(".stage");
  const search = one(".bar input"), found = one(".bar output"), parts = one(".bar select");
  const idle = [...panel.childNodes], failing = history.orders.findIndex((ways) => ways[0]?.stuck >= 0);
  const ALL = -1, INVOLVED = -2;                  // instead of one part
  const MOST = 8;                                 // lines of one kind in the side
  let touched = false, frame = 0;

  // ---- drawing ------------------------------------------------------------------------------------------------------------------
  const node = (tag, text, style) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (style) element.className = style;
    return element;
  };
  const redraw = () => { frame ||= requestAnimationFrame(() => { frame = 0; settle(); chart.draw(); slide(); }); };
  const settle = () => {                          // what is asked for, within what there is
    const { least, most } = chart.limits();
    view.scale = clamp(view.scale, least, most);
    Object.assign(view, held(view, chart.axis().end, chart.room()));
    view.top = clamp(view.top, 0, Math.max(view.lanes.length * view.tall - (view.height - chart.HEAD), 0));
  };
  const slide = () => {                           // the window on the strip below
    const all = chart.axis().end, width = strip.clientWidth - chart.GUTTER;
    const left = clamp(view.left / all, 0, 1), right = clamp((view.left + chart.room() / view.scale) / all, 0, 1);
    Object.assign(strip.lastChild.style, { left: `${chart.GUTTER + left * width}px`, width: `${Math.max((right - left) * width, 6)}px` });
  };
  const drawStrip = () => {                       // how many operations are open when, in the whole history
    const face = strip.firstChild, ratio = view.ratio, width = Math.max(strip.clientWidth, 1), tall = strip.clientHeight, pen = face.getContext("2d");
    const columns = new Float64Array(Math.max(width - chart.GUTTER, 1)), { from, end } = chart.axis(), bad = new Set();
    for (let i = 0; i < count; i++) if (view.row[i] >= 0) columns[Math.min(Math.floor((from[i] / end) * columns.length), columns.length - 1)]++;
    for (const ways of history.orders) if (ways[0]?.stuck >= 0) bad.add(ways[0].stuck);
    for (const [, operations] of history.cycles) for (const i of operations) bad.add(i);
    face.width = width * ratio;
    face.height = tall * ratio;
    pen.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement), most = columns.reduce((a, b) => Math.max(a, b), 1);
    pen.fillStyle = style.getPropertyValue("--faint");
    columns.forEach((number, x) => pen.fillRect(chart.GUTTER + x, tall - (number / most) * (tall - 6), 1, (number / most) * (tall - 6)));
    pen.fillStyle = style.getPropertyValue("--red");
    for (const i of bad) pen.fillRect(chart.GUTTER + (from[i] / end) * columns.length - 1, 0, 3, tall);
  };

  // ---- moving -----------------------------------------------------------------------------------------------------------------------
  const zoom = (factor, pixel = chart.room() / 2) => { Object.assign(view, zoomed(view, factor, pixel, chart.limits())); redraw(); };
  const heighten = (factor) => { view.tall = clamp(view.tall * factor, 3, 120); redraw(); };
  const fitLanes = () => { view.tall = clamp((view.height - chart.HEAD - 12) / Math.max(view.lanes.length, 1), 9, history.cycles.length ? 84 : 46); };
  const whole = () => { view.scale = chart.limits().least; view.left = 0; fitLanes(); redraw(); };
  const reveal = (i, near = false) => {           // an operation into sight; with `near` so close that it can be read
    if (view.row[i] < 0) choose(ALL);
    const { from } = chart.axis(), start = from[i], stop = chart.end(i), least = near ? readable(i) : 0;
    if (view.scale < least) view.scale = least;
    const room = chart.room() / view.scale;
    if (start < view.left || Math.min(stop, start + room * 0.3) > view.left + room * 0.95 || near) view.left = (start + Math.min(stop, start + room)) / 2 - room * 0.6;
    const y = view.row[i] * view.tall, tall = view.height - chart.HEAD;
    if (y < view.top || y + view.tall > view.top + tall) view.top = y - tall / 2;
    redraw();
  };
  const readable = (i) => {                       // a scale at which the neighbourhood of an operation can be read: some thirty operations
    const { from, end } = chart.axis(), { shown } = view, at = rank(shown, i) - 1;
    const first = shown[Math.max(at - 18, 0)], last = shown[Math.min(at + 9, shown.length - 1)];
    return Math.min(chart.room() / Math.max(from[last] - from[first], end / 1e7, 1e-9), chart.limits().most);
  };
  const change = (name) => {                      // the other axis, with what is in the middle still in the middle
    const middle = view.left + chart.room() / view.scale / 2, before = chart.axis();
    const order = Float64Array.from(view.shown, (i) => before.from[i]), place = clamp(rank(order, middle) - 1, 0, order.length - 1);
    const seen = Math.max(rank(order, view.left + chart.room() / view.scale) - rank(order, view.left), 1);
    view.axis = name;
    view.scale = chart.room() / Math.max((chart.axis().end * seen) / Math.max(order.length, 1), 1e-9);
    const { from } = chart.axis();
    view.left = (from[view.shown[place]] ?? 0) - chart.room() / view.scale / 2;
    press("t", name === "even");
    drawStrip();
    redraw();
  };
  const press = (key, down) => { for (const button of all(`[data-key="${key}"]`)) button.classList.toggle("down", down); };

  // ---- what is said -------------------------------------------------------------------------------------------------------------------
  const stamp = (time) => (history.timed ? `${(time / 1e6).toFixed(6).replace(/0{1,3}$/, "")} s` : "");
  const positionOf = (i) => {
    const order = chart.orderOf(history.part[i]), position = order?.place.get(i);
    return position === undefined ? null : { order, position };
  };
  const stateBefore = ({ order, position }) => history.text(position ? order.after[position - 1] : history.initial);
  const when = (i) => {
    if (!history.timed) return `event ${history.invoked[i]} to ${Number.isFinite(history.completed[i]) ? history.completed[i] : "?"}`;
    const end = history.ended[i], gave = history.axes.time.gave[i];
    if (end !== Infinity) return `${stamp(history.began[i])} to ${stamp(end)}`;
    return `${stamp(history.began[i])} to ?${gave === Infinity ? "" : `, given up at ${stamp(gave)}`}`;
  };
  const OUTCOMES = ["ok", "fail: it certainly did not happen", "unknown: it may take effect at any later moment, or never"];
  const facts = (i) => {
    const at = positionOf(i), order = chart.orderOf(history.part[i]), pairs = [["when", when(i)], ["outcome", OUTCOMES[history.outcome[i]]]];
    if (history.parts.length > 1 && history.part[i] >= 0) pairs.push(["part", history.parts[history.part[i]][0]]);
    if (at) {
      const before = stateBefore(at), after = history.text(at.order.after[at.position]);
      pairs.push(["in the order", `${at.position + 1} of ${at.order.list.length}`]);
      pairs.push(["state", before === after ? `${after}, before and after` : `${before} → ${after}`]);
    } else if (order && order.stuck < 0 && history.part[i] >= 0) pairs.push(["in the order", "not needed: nothing shows that it took effect"]);
    if (order?.reasons.has(i)) pairs.push(["refusal", history.text(order.reasons.get(i))]);
    history.cycles.forEach(([kind, operations, steps]) => {
      if (!operations.includes(i)) return;
      pairs.push(["anomaly", kind]);
      for (const [before, after, , because] of steps) if (before === i) pairs.push([`before T${history.id[after]}`, because]);
    });
    return pairs;
  };
  const link = (i, text = history.title(i)) => {
    const button = node("button", text, "link");
    button.onclick = () => visit(i);
    button.dataset.op = i;
    return button;
  };
  const describe = () => {
    const i = view.hovered >= 0 ? view.hovered : view.selected;
    if (i < 0) { panel.replaceChildren(...idle); return; }
    const list = node("dl"), around = node("p", undefined, "links"), named = history.cycles.length ? `T${history.id[i]} ` : "";
    for (const [key, value] of facts(i)) list.append(node("dt", key), node("dd", value));
    panel.replaceChildren(node("p", named + history.title(i), "what"), list, around);
    if (parts && history.part[i] >= 0 && view.part !== history.part[i]) {
      const alone = node("button", "show only this part", "link");
      alone.onclick = () => { choose(history.part[i]); reveal(i); };
      around.append(alone);
    }
    const at = positionOf(i);
    if (!at) return;
    const trail = node("ol", undefined, "trail"), from = Math.max(at.position - 3, 0);
    trail.start = from + 1;
    for (let k = from; k < Math.min(at.position + 4, at.order.list.length); k++) {
      const row = node("li", undefined, k === at.position ? "here" : "");
      row.append(link(at.order.list[k]), node("span", history.text(at.order.after[k]), "state"));
      trail.append(row);
    }
    panel.append(node("h2", "the order here, and the state after each"), trail);
  };
  const explain = () => {                         // why the part has no order
    const part = chart.partInSight(), chosen = part >= 0 ? part : failing, ways = history.orders[chosen] ?? [], order = chart.orderOf(chosen);
    const [name, status, note] = history.parts[chosen] ?? ["", "", ""], head = node("h2", name ? `part ${name}: ${status}` : "");
    why.replaceChildren(...(name ? [head] : []), ...(note ? [node("p", note, "facts")] : []));
    why.hidden = !name && !note && !(order?.stuck >= 0);
    if (!order || order.stuck < 0) return;
    const size = order.list.length, state = history.text(size ? order.after[size - 1] : history.initial);
    const rows = node("ol", undefined, "reasons"), groups = new Map();
    // Candidates with the same fate stand together, those that were going on before those that were given up.
    const open = [...order.reasons].sort(([a], [b]) => (b === order.stuck) - (a === order.stuck) || (history.outcome[a] === 2) - (history.outcome[b] === 2));
    for (const [i, words] of open) groups.set(words, [...(groups.get(words) ?? []), i]);
    for (const [words, operations] of [...groups].slice(0, MOST)) {
      const row = node("li", undefined, operations[0] === order.stuck ? "stuck" : "");
      row.append(...operations.slice(0, MOST).map((i) => link(i)));
      if (operations.length > MOST) row.append(node("small", `and ${operations.length - MOST} more`));
      row.append(node("span", history.text(words)));
      rows.append(row);
    }
    if (groups.size > MOST || order.more) rows.append(node("li", `and ${Math.max(groups.size - MOST, 0) + order.more} more that lead no further`));
    const most = history.parts[chosen][1] === "unknown" ? "The longest order found so far" : "The longest partial order";
    const told = node("p", `${most} places ${size} operation${size === 1 ? "" : "s"}; then the state is `);
    told.append(node("code", state));
    why.append(told, rows);
    if (ways.length > 1) {
      const choice = node("p", "Orders as long that end elsewhere: ", "ways");
      ways.forEach((way, number) => {
        const end = way.list.length ? way.after[way.list.length - 1] : history.initial;
        const button = node("button", `${number + 1}: ${history.text(end)}`, order === way ? "down" : "");
        button.onclick = () => take(number, chosen);
        choice.append(button);
      });
      why.append(choice);
    }
  };
  const take = (number, part = chart.partInSight() < 0 ? failing : chart.partInSight()) => {
    if (!history.orders[part]?.[number]) return;
    if (history.parts.length > 1) choose(part);
    view.way = number;
    explain();
    describe();
    redraw();
  };
  const whisper = (event) => {
    const i = view.hovered;
    tip.hidden = i < 0;
    if (i < 0) return;
    const at = positionOf(i), lines = [when(i)], order = chart.orderOf(history.part[i]);
    if (at) lines.push(`${at.position + 1} in the order: ${stateBefore(at)} → ${history.text(at.order.after[at.position])}`);
    if (order?.reasons.has(i)) lines.push(history.text(order.reasons.get(i)));
    tip.replaceChildren(node("b", history.title(i)), ...lines.map((line) => node("p", line)));
    const area = stage.getBoundingClientRect(), x = event.clientX - area.left, y = event.clientY - area.top;
    tip.style.left = `${clamp(x + 14, 4, Math.max(area.width - tip.offsetWidth - 8, 4))}px`;
    tip.style.top = `${y + tip.offsetHeight + 26 > area.height ? y - tip.offsetHeight - 12 : y + 16}px`;
  };
  const select = (i) => {
    view.selected = i;
    view.hovered = -1;
    tip.hidden = true;
    describe();
    explain();
    redraw();
  };
  const visit = (i) => { if (i >= 0) { select(i); reveal(i); } };
  const clientsOf = (number) => new Set((history.cycles[number]?.[1] ?? []).map((i) => history.laneOf[history.process[i]]));
  const choose = (part) => {
    chart.choose(part, part === INVOLVED ? clientsOf(view.anomaly) : null);
    if (parts) parts.value = part;
    view.hovered = -1;
    if (view.selected >= 0 && view.row[view.selected] < 0) view.selected = -1;
    fitLanes();
    drawStrip();
    explain();
    redraw();
  };

  // ---- the pointer ------------------------------------------------------------------------------------------------------------------
  let drag = null;
  const spot = (event) => { const area = canvas.getBoundingClientRect(); return [event.clientX - area.left, event.clientY - area.top]; };
  box.addEventListener("pointermove", (event) => {
    if (drag) {
      view.left = drag.left - (event.clientX - drag.x) / view.scale;
      view.top = drag.top - (event.clientY - drag.y);
      drag.moved ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 4;
      redraw();
      return;
    }
    const next = chart.at(...spot(event)), changed = next !== view.hovered;
    view.hovered = next;
    box.style.cursor = next >= 0 ? "pointer" : "";
    whisper(event);
    if (changed) { describe(); redraw(); }
  });
  box.addEventListener("pointerleave", () => { if (drag) return; view.hovered = -1; tip.hidden = true; describe(); redraw(); });
  box.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    drag = { x: event.clientX, y: event.clientY, left: view.left, top: view.top, moved: false };
    box.setPointerCapture(event.pointerId);
  });
  box.addEventListener("pointerup", (event) => {
    const was = drag;
    drag = null;
    if (was && !was.moved) select(chart.at(...spot(event)));
  });
  box.addEventListener("pointercancel", () => { drag = null; });
  box.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [px] = spot(event), along = event.deltaX || (event.shiftKey ? event.deltaY : 0), unit = event.deltaMode === 1 ? 16 : 1;
    if (event.altKey) { heighten(Math.exp(-event.deltaY * unit * 0.002)); return; }
    if (px < chart.GUTTER) { view.top += event.deltaY * unit; redraw(); return; }
    if (Math.abs(along) > Math.abs(event.shiftKey ? 0 : event.deltaY)) { view.left += (along * unit) / view.scale; redraw(); return; }
    zoom(Math.exp(-event.deltaY * unit * 0.002), px - chart.GUTTER);
  }, { passive: false });
  const travel = (event) => {
    const area = strip.getBoundingClientRect(), share = (event.clientX - area.left - chart.GUTTER) / (area.width - chart.GUTTER);
    view.left = share * chart.axis().end - chart.room() / view.scale / 2;
    redraw();
  };
  strip.addEventListener("pointerdown", (event) => { strip.setPointerCapture(event.pointerId); travel(event); });
  strip.addEventListener("pointermove", (event) => { if (event.buttons) travel(event); });

  // ---- search -----------------------------------------------------------------------------------------------------------------------
  let texts = null;
  const look = () => {                            // all words must be there, in any order
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    texts ??= Array.from({ length: count }, (_, i) => `${history.cycles.length ? `t${history.id[i]} ` : ""}${history.title(i)}`.toLowerCase());
    view.hits = [];
    for (let i = 0; wanted.length && i < count; i++) if (view.row[i] >= 0 && wanted.every((word) => texts[i].includes(word))) view.hits.push(i);
    found.textContent = wanted.length ? `${view.hits.length} found` : "";
    redraw();
  };
  const nextHit = (way) => {
    const { hits } = view, from = view.selected < 0 ? -1 : view.selected;
    if (!hits.length) return;
    const next = way > 0 ? hits.find((i) => i > from) ?? hits[0] : hits.findLast((i) => i < from) ?? hits.at(-1);
    visit(next);
    found.textContent = `${hits.indexOf(next) + 1} / ${hits.length}`;
  };

  // ---- keys -------------------------------------------------------------------------------------------------------------------------
  const first = () => {                           // where walking begins, if nothing is selected: what is in sight
    const { from } = chart.axis();
    for (let i = 0; i < count; i++) if (view.row[i] >= 0 && from[i] >= view.left) return i;
    return -1;
  };
  const walk = (way) => {                         // along the order, or else by time
    if (view.selected < 0) { visit(first()); return; }
    const at = positionOf(view.selected);
    if (at) {
      const next = at.position + way;
      if (next >= 0) visit(next < at.order.list.length ? at.order.list[next] : at.order.stuck);
      return;
    }
    const order = chart.orderOf(history.part[view.selected]);
    if (way < 0 && order?.stuck === view.selected && order.list.length) { visit(order.list.at(-1)); return; }
    for (let i = view.selected + way; i >= 0 && i < count; i += way) if (view.row[i] >= 0) { visit(i); return; }
  };
  const along = (way) => {                        // in one lane
    if (view.selected < 0) { visit(first()); return; }
    const { list } = view.lanes[view.row[view.selected]], next = list[list.indexOf(view.selected) + way];
    if (next !== undefined) visit(next);
  };
  const ending = () => {                          // where it goes wrong: the next such place, if there are several
    const spots = history.orders.flatMap((ways, part) => (ways[0]?.stuck >= 0 && (view.part < 0 || view.part === part) ? [chart.orderOf(part).stuck] : []));
    if (!spots.length) spots.push(...(history.cycles[Math.max(view.anomaly, 0)]?.[1] ?? history.evidence).slice(-1));
    if (!spots.length) return;
    const i = spots[(spots.indexOf(view.selected) + 1) % spots.length];
    select(i);
    reveal(i, true);
  };
  const move = (share) => { view.left += (share * chart.room()) / view.scale; redraw(); };
  const actions = {
    j: () => walk(1), k: () => walk(-1), J: () => along(1), K: () => along(-1),
    ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2), PageUp: () => move(-0.9), PageDown: () => move(0.9),
    ArrowUp: () => { view.top -= 3 * view.tall; redraw(); }, ArrowDown: () => { view.top += 3 * view.tall; redraw(); },
    Home: () => { view.left = 0; redraw(); }, End: () => { view.left = chart.axis().end; redraw(); },
    "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), "]": () => heighten(1.25), "[": () => heighten(1 / 1.25),
    0: whole, v: ending, n: () => nextHit(1), N: () => nextHit(-1),
    t: () => { if (history.timed) change(view.axis === "time" ? "even" : "time"); },
    l: () => { view.line = !view.line; press("l", view.line); redraw(); },
    s: () => document.body.classList.toggle("bare"),
    "/": () => { search.focus(); search.select(); },
    "?": () => { help.hidden = !help.hidden; },
    Escape: () => {
      if (!help.hidden) { help.hidden = true; return; }
      search.value = "";
      look();
      select(-1);
      box.focus();
    },
  };
  for (const number of [1, 2, 3, 4]) actions[number] = () => take(number - 1);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target === parts) return;
    if (event.target === search) {
      if (event.key === "Enter") { nextHit(event.shiftKey ? -1 : 1); event.preventDefault(); }
      if (event.key === "Escape") actions.Escape();
    } else if (Object.hasOwn(actions, event.key)) {
      event.preventDefault();
      actions[event.key]();
    }
  });
  for (const button of all("button[data-key]")) button.onclick = () => { actions[button.dataset.key](); box.focus(); };
  const numbers = new Map(Array.from(history.id, (id, i) => [id, i]));
  for (const each of all(".ring [data-op]")) each.onclick = () => visit(numbers.get(+each.dataset.op) ?? -1);
  const accuse = (number) => {                    // an anomaly: its operations, as large as all of them can be seen
    view.anomaly = number;
    const operations = history.cycles[number]?.[1] ?? [];
    if (!operations.length) return;
    choose(INVOLVED);
    const { from } = chart.axis(), left = Math.min(...operations.map((i) => from[i])), right = Math.max(...operations.map((i) => chart.end(i)));
    view.scale = Math.min(chart.room() / Math.max((right - left) * 1.3, 1e-9), readable(operations[0]));
    view.left = (left + right) / 2 - chart.room() / view.scale / 2;
    const rows = operations.map((i) => view.row[i] * view.tall);
    view.top = (Math.min(...rows) + Math.max(...rows)) / 2 - view.height / 2;
    redraw();
  };
  for (const head of all("[data-anomaly]")) head.addEventListener("click", () => accuse(+head.dataset.anomaly));
  search.oninput = look;
  help.onclick = () => { help.hidden = true; };
  if (parts) {
    const options = 400, order = [...history.parts.keys()].sort((a, b) => (history.orders[b][0]?.stuck >= 0) - (history.orders[a][0]?.stuck >= 0) || a - b);
    const option = (value, text) => { const each = node("option", text); each.value = value; return each; };
    if (history.cycles.length) parts.append(option(INVOLVED, "clients of the anomaly"), option(ALL, "all clients"));
    else parts.append(option(ALL, `all ${history.parts.length} parts`));
    for (const part of order.slice(0, options)) parts.append(option(part, `${history.parts[part][0]}${history.parts[part][1] === "valid" ? "" : `: ${history.parts[part][1]}`}`));
    parts.onchange = () => { choose(+parts.value); if (+parts.value >= 0 && history.orders[+parts.value][0]?.stuck >= 0) ending(); box.focus(); };
  }

  // ---- begin ------------------------------------------------------------------------------------------------------------------------
  for (const each of all(".scripted")) each.hidden = false;
  for (const event of ["wheel", "pointerdown", "keydown"]) addEventListener(event, () => { touched = true; }, { capture: true, passive: true });
  const resize = (ratio = devicePixelRatio) => {
    chart.resize(Math.max(box.clientWidth, 200), Math.max(box.clientHeight, 80), ratio);
    drawStrip();
  };
  const open = () => {                            // at the place where it goes wrong, or else everything
    whole();
    const asked = numbers.get(parseFloat(location.hash.slice(1)));
    if (asked !== undefined) { select(asked); reveal(asked, true); return; }
    if (history.cycles.length) accuse(0);
    else if (failing >= 0 || history.evidence.length) {
      // Of several parts that fail, the one that the verdict speaks of.
      const blamed = history.evidence.length ? history.part[history.evidence.at(-1)] : -1;
      const part = history.orders[blamed]?.[0]?.stuck >= 0 ? blamed : failing;
      if (part >= 0 && history.parts.length > 1) choose(part);
      const i = part >= 0 ? history.orders[part][0].stuck : history.evidence.at(-1);
      reveal(i, view.scale * 3 < readable(i));    // a short history is shown as a whole
    }
  };
  const dress = () => { chart.dress(); drawStrip(); redraw(); };
  chart.choose(ALL);
  chart.dress();
  press("t", view.axis === "even");
  press("l", true);
  for (const button of all('[data-key="t"]')) button.disabled = !history.timed;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
  // Paper is white, and finer than a screen.
  const print = (on) => {
    document.documentElement.classList.toggle("paper", on);
    chart.dress();
    resize(on ? 2.5 : devicePixelRatio);
    settle();
    chart.draw();
  };
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  // A notebook may give the frame its size only after the script has run, so the beginning is found anew until someone moves.
  new ResizeObserver(() => {
    resize();
    if (!touched) open();
    explain();
    settle();
    chart.draw();
    slide();
  }).observe(box);
})();
