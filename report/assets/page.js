// What one does with the picture: look closer, point, click, walk from event to event, search, hide, fold.
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);
  const run = readRun(JSON.parse(one("script.data").textContent));
  const { count, kind, lane, cause, time } = run;
  const svg = one("svg.diagram"), scroll = one(".scroll"), panel = one(".panel"), over = one("g.over"), card = one(".card"), tip = one(".tip");
  const box = one(".bar input"), found = one(".bar output"), help = one(".help"), heads = one(".heads"), frame = one(".map div"), map = one(".map svg");
  const drawing = makeDrawing(run, svg), { view, fix, put, shown, visible, spot } = drawing;
  const HEAD = heads.offsetHeight || 37;
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  // ---- drawing anew, and keeping what one looks at where it is ------------------------------------------------------------
  let selected = -1, hovered = -1, hits = [], touched = false, normal = 1;
  const baseAt = (height) => {                     // the event nearest to a height of the screen
    let best = -1;
    for (let i = 0; i < count; i++) if (best < 0 || Math.abs(view.Y[i] - height) < Math.abs(view.Y[best] - height)) best = i;
    return best;
  };
  const settle = () => {                           // the card of the violation needs room before the rest can be placed
    if (!card || run.violation < 0) return;
    card.style.left = `${drawing.AXIS + 10}px`;
    card.style.width = `${Math.max(Math.min(scroll.clientWidth - drawing.AXIS - 24, 860), 240)}px`;
    view.room = card.offsetHeight + 26;
  };
  const draw = (at) => {
    const anchor = count ? at ?? baseAt(scroll.scrollTop + scroll.clientHeight / 2) : -1;
    const offset = anchor < 0 ? 0 : view.Y[anchor] - scroll.scrollTop;
    view.width = scroll.clientWidth;
    svg.classList.toggle("far", view.scale < 0.35);
    svg.classList.toggle("farther", view.scale < 0.15);
    settle();
    drawing.lay();
    drawing.paint();
    if (card && run.violation >= 0) card.style.top = `${fix(view.Y[run.violation] + HEAD + 12)}px`;
    heads.style.width = svg.style.width = `${Math.ceil(view.right)}px`;
    run.lanes.forEach((each) => { const head = heads.children[each.number]; head.hidden = !Number.isFinite(view.x[each.number]); head.style.left = `${view.x[each.number]}px`; });
    map.setAttribute("viewBox", `${drawing.AXIS + view.gutter} 0 ${fix(view.right - drawing.AXIS - view.gutter)} ${fix(view.height)}`);
    if (anchor >= 0) scroll.scrollTop = view.Y[anchor] - offset;
    look();
    overlay();
  };
  const look = () => {
    drawing.show(scroll.scrollTop, scroll.scrollTop + scroll.clientHeight);
    const tall = scroll.scrollHeight || 1;
    frame.style.top = (100 * scroll.scrollTop) / tall + "%";
    frame.style.height = (100 * scroll.clientHeight) / tall + "%";
    const states = run.lanes.map(() => ["", ""]);  // what each host was at the top of what is in sight
    for (const [number, style, from, to, told] of run.spans) {
      if (view.Y[from] <= scroll.scrollTop + 40 && view.Y[to] > scroll.scrollTop + 40 && (told || style === "n")) states[number] = states[number][0] === "down" ? states[number] : [told, style];
    }
    states.forEach(([told, style], number) => { const small = heads.children[number].lastChild; small.textContent = told; small.className = style; });
  };
  const zoom = (wanted, at = scroll.clientHeight / 2) => {
    const anchor = baseAt(scroll.scrollTop + at);
    view.scale = clamp(wanted, Math.min(0.02, scroll.clientHeight / run.height), 16);
    draw(anchor);
  };
  const widen = (wanted) => { view.spread = clamp(wanted, 0.25, 8); draw(); };
  const go = (i, where = 0.45) => {
    const fold = view.folded[i] ? view.folds.find((each) => run.y[i] > each.from && run.y[i] < each.to) : undefined;
    if (fold) { view.opened.add(fold.after); draw(); }
    const top = view.Y[i], x = spot(i);
    if (top < scroll.scrollTop + 60 || top > scroll.scrollTop + scroll.clientHeight - 60) scroll.scrollTop = top - scroll.clientHeight * where;
    if (x < scroll.scrollLeft + 20 || x > scroll.scrollLeft + scroll.clientWidth - 20) scroll.scrollLeft = x - scroll.clientWidth / 2;
    look();
  };

  // ---- what is pointed at, what is selected -----------------------------------------------------------------------------------
  const flightOf = new Map(run.flights.filter((flight) => flight.end >= 0).map((flight) => [flight.end, flight]));
  const overlay = () => {
    over.replaceChildren();
    for (const i of hits) if (visible(i)) put(over, "circle", { class: "found", cx: spot(i), cy: view.Y[i], r: 6 });
    for (const [i, style] of [[selected, "on"], [hovered, "hover"]]) {
      if (i < 0 || !Number.isFinite(spot(i))) continue;
      put(over, "circle", { class: style, cx: spot(i), cy: view.Y[i], r: 8 });
      if (flightOf.has(i)) put(over, "path", { class: style, d: drawing.arrow(flightOf.get(i)) });
    }
  };
  const focus = (i) => {
    view.past = i >= 0 ? run.past(i) : null;
    if (!view.past) view.alone = false;
    svg.classList.toggle("focus", view.past !== null);
    all("[data-key=p]").forEach((button) => { button.classList.toggle("down", view.alone); button.disabled = !view.past; });
  };
  const select = (i) => {
    selected = i;
    focus(i);
    draw(i >= 0 && !view.folded[i] ? i : undefined);
    describe(i);
  };

  // ---- the panel --------------------------------------------------------------------------------------------------------------
  const idle = [...panel.childNodes];
  const node = (tag, text, style) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (style) element.className = style;
    return element;
  };
  const link = (i, text) => {
    const button = node("button", text ?? `${kind[i]} ${run.host(i)} ${run.stamp(time[i])}`, "link");
    button.onclick = () => { select(i); go(i); };
    return button;
  };
  const table = (pairs) => {
    const list = node("dl");
    for (const [key, value] of pairs) list.append(node("dt", key), node("dd", value));
    return list;
  };
  const title = (i) => {
    if (run.isFlight(i)) return `${run.types[run.type[i]]}  ${run.host(cause[i])} → ${flightOf.get(i) ? run.lanes[flightOf.get(i).to]?.name : run.host(i)}${kind[i] === "drop" ? ", dropped" : ""}`;
    if (kind[i] === "send") return `${run.types[run.type[i]]}  ${run.host(i)} → ${run.field(i, "to")}`;
    const operation = run.operations[run.operationOf.get(i)];
    if (operation) return `${run.host(i)} ${operation[3]}${kind[i] === "complete" ? ` → ${operation[4]}` : ""}`;
    const strike = drawing.strikeAt.get(i);
    return strike ? strike[1] : `${run.host(i)} ${kind[i]}`;
  };
  const details = (i) => {
    const pairs = run.isFlight(i) ? [["body", run.field(cause[i], "body")], ...run.fields(i)] : run.fields(i);
    if (run.isFlight(i)) pairs.push(["in flight", ((time[i] - time[cause[i]]) / 1e3).toFixed(3) + " ms"]);
    if (kind[i] === "complete" && cause[i] >= 0) pairs.unshift(...run.fields(cause[i]).filter(([key]) => key === "function" || key === "argument"), ["took", ((time[i] - time[cause[i]]) / 1e3).toFixed(3) + " ms"]);
    return pairs;
  };
  const describe = (i) => {
    if (i < 0) { panel.replaceChildren(...idle); return; }
    const parts = [node("p", title(i), "what"), node("p", `${kind[i]}, ${run.stamp(time[i])}, event ${run.index[i]}`, "when"), table(details(i))];
    const links = [];
    if (cause[i] >= 0) links.push(["caused by ", cause[i]]);
    for (let j = i + 1; j < count && links.length < 8; j++) if (cause[j] === i) links.push(["led to ", j]);
    for (const [words, j] of links) { const line = node("p", words, "links"); line.append(link(j)); parts.push(line); }
    const known = lane[i] >= 0 ? run.state(i) : [];
    if (known.length) parts.push(node("h2", `${run.host(i)} at that moment`), table(known));
    if (i === selected && view.past) {
      let events = 0, lost = 0;
      const lanes = new Set();
      view.past.forEach((inside, j) => { if (inside === 1) { events++; if (lane[j] >= 0) lanes.add(lane[j]); } else if (inside) lost++; });
      parts.splice(2, 0, node("p", `Its causal past is in full colour: ${events - 1} events on ${lanes.size} hosts${lost ? `, ${lost} messages lost on the way` : ""}. Esc: everything.`, "hint"));
    }
    panel.replaceChildren(...parts);
  };
  const whisper = (event) => {                     // the few words next to the pointer
    tip.hidden = hovered < 0;
    if (hovered < 0) return;
    const text = run.summary(hovered), said = run.operationOf.has(hovered) ? "" : text.length > 220 ? text.slice(0, 219) + "…" : text;
    const flown = run.isFlight(hovered) ? `, ${((time[hovered] - time[cause[hovered]]) / 1e3).toFixed(1)} ms in flight` : "";
    tip.replaceChildren(node("b", title(hovered)), node("p", said), node("small", run.stamp(time[hovered]) + flown));
    const room = one(".stage").getBoundingClientRect(), wide = tip.offsetWidth, tall = tip.offsetHeight;
    tip.style.left = `${clamp(event.clientX - room.left + 14, 4, room.width - wide - 4)}px`;
    tip.style.top = `${event.clientY - room.top + 20 + tall > room.height ? event.clientY - room.top - tall - 12 : event.clientY - room.top + 18}px`;
  };

  // ---- the pointer ------------------------------------------------------------------------------------------------------------
  const distance = (px, py, [x1, y1, x2, y2]) => {
    const dx = x2 - x1, dy = y2 - y1, length = dx * dx + dy * dy;
    const share = length ? clamp(((px - x1) * dx + (py - y1) * dy) / length, 0, 1) : 0;
    return Math.hypot(px - x1 - share * dx, py - y1 - share * dy);
  };
  const pick = (event) => {
    const box = svg.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
    let best = -1, nearest = 9;
    for (let i = 0; i < count; i++) {
      const flight = flightOf.get(i), top = flight || kind[i] === "complete" ? view.Y[Math.max(cause[i], 0)] : view.Y[i];
      if (view.Y[i] < py - 14 || top > py + 14 || !visible(i)) continue;
      const x = spot(i), line = flight ? drawing.ends(flight) : kind[i] === "complete" && cause[i] >= 0 ? [x, top, x, view.Y[i]] : [x, view.Y[i], x, view.Y[i]];
      let away = distance(px, py, line);
      if (kind[i] === "strike" && py > view.Y[i] - 8 && py < view.Y[i] + 28 && px > drawing.AXIS && px < drawing.AXIS + view.gutter) away = 0;
      if (kind[i] === "observe" || kind[i] === "send") away += 3;
      if (flight && run.routine[i]) away += 1;
      if (away < nearest) { nearest = away; best = i; }
    }
    return best;
  };
  let pending = 0, drag = null;
  scroll.addEventListener("mousemove", (event) => {
    if (drag) {
      scroll.scrollLeft = drag.left - event.clientX; scroll.scrollTop = drag.top - event.clientY;
      if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 4) drag.moved = true;
      return;
    }
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => {
      const next = event.target.closest(".card, .heads") ? -1 : pick(event);
      if (next === hovered) { if (next >= 0) whisper(event); return; }
      hovered = next;
      overlay(); whisper(event); describe(hovered >= 0 ? hovered : selected);
      scroll.style.cursor = hovered >= 0 || event.target.closest(".fold") ? "pointer" : "";
    });
  });
  scroll.addEventListener("mouseleave", () => { cancelAnimationFrame(pending); hovered = -1; tip.hidden = true; overlay(); describe(selected); });
  scroll.addEventListener("mousedown", (event) => {
    const box = scroll.getBoundingClientRect();    // leave the scroll bars and the card alone
    if (event.button || event.target.closest(".card") || event.clientX - box.left > scroll.clientWidth || event.clientY - box.top > scroll.clientHeight) return;
    drag = { x: event.clientX, y: event.clientY, left: scroll.scrollLeft + event.clientX, top: scroll.scrollTop + event.clientY, moved: false };
    scroll.classList.add("drag");
  });
  addEventListener("mouseup", (event) => {
    const was = drag;
    drag = null;
    scroll.classList.remove("drag");
    if (!was || was.moved) return;
    const fold = event.target.closest(".fold"), i = pick(event);
    if (fold && i < 0) { view.opened.add(+fold.dataset.after); draw(); } else select(i);
    scroll.focus();
  });
  scroll.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const factor = Math.exp(-(event.deltaY || event.deltaX) * 0.002);
    if (event.shiftKey) widen(view.spread * factor); else zoom(view.scale * factor, event.clientY - scroll.getBoundingClientRect().top);
  }, { passive: false });
  let scrolled = 0;
  scroll.addEventListener("scroll", () => { cancelAnimationFrame(scrolled); scrolled = requestAnimationFrame(look); });
  addEventListener("beforeprint", () => drawing.show(-Infinity, Infinity));
  const travel = (event) => {
    const box = frame.parentNode.getBoundingClientRect();
    scroll.scrollTop = ((event.clientY - box.top) / box.height) * scroll.scrollHeight - scroll.clientHeight / 2;
  };
  frame.parentNode.addEventListener("pointerdown", (event) => { frame.parentNode.setPointerCapture(event.pointerId); travel(event); });
  frame.parentNode.addEventListener("pointermove", (event) => { if (event.buttons) travel(event); });

  // ---- search, filters, keys --------------------------------------------------------------------------------------------------
  let texts = null;
  const search = () => {                           // all words must be there, in any order
    const wanted = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    texts = texts || Array.from({ length: count }, (_, i) => `${kind[i]} ${title(i)} ${run.host(i)} ${run.summary(i)}`.toLowerCase());
    hits = [];
    if (wanted.length) for (let i = 0; i < count; i++) if (shown(i) && wanted.every((word) => texts[i].includes(word))) hits.push(i);
    found.textContent = wanted.length ? `${hits.length} found` : "";
    overlay();
  };
  const step = (forward, wanted) => {
    const top = Array.from(view.Y.subarray(0, count)).findIndex((y) => y >= scroll.scrollTop + 30);
    const from = selected >= 0 ? selected : top - (forward ? 1 : 0);
    for (let i = from + (forward ? 1 : -1); i >= 0 && i < count; i += forward ? 1 : -1) if (wanted(i)) { select(i); go(i); return true; }
    return false;
  };
  const nextHit = (forward) => {
    if (!hits.length) return;
    const among = new Set(hits);
    if (!step(forward, (i) => among.has(i))) { const i = forward ? hits[0] : hits.at(-1); select(i); go(i); }
    found.textContent = `${hits.indexOf(selected) + 1} / ${hits.length}`;
  };
  const here = (i) => visible(i) && lane[i] === lane[selected];
  const filters = all(".filters input");
  const refilter = () => {
    for (const set of [view.hiddenTypes, view.hiddenLanes, view.hiddenKinds]) set.clear();
    for (const { checked, dataset: { type, host, kind } } of filters) {
      if (checked) continue;
      if (type) view.hiddenTypes.add(+type); else if (host) view.hiddenLanes.add(+host); else view.hiddenKinds.add(kind);
    }
    search();
    draw();
  };
  const toggle = (what) => { view[what] = !view[what]; view.opened.clear(); all(`[data-key=${what === "fold" ? "q" : "p"}]`).forEach((button) => button.classList.toggle("down", view[what])); draw(selected >= 0 ? selected : undefined); };
  const actions = {
    j: () => step(true, visible), k: () => step(false, visible),
    J: () => selected >= 0 && step(true, here), K: () => selected >= 0 && step(false, here),
    c: () => { const i = selected < 0 ? -1 : cause[selected] >= 0 ? cause[selected] : run.before[selected]; if (i >= 0) { select(i); go(i); } },
    n: () => nextHit(true), N: () => nextHit(false), v: () => { if (run.violation >= 0) { select(run.violation); go(run.violation, 0.6); } },
    p: () => { if (view.past) toggle("alone"); }, q: () => toggle("fold"),
    "+": () => zoom(view.scale * 1.4), "=": () => zoom(view.scale * 1.4), "-": () => zoom(view.scale / 1.4),
    "]": () => widen(view.spread * 1.25), "[": () => widen(view.spread / 1.25), 0: () => { view.spread = 1; zoom(normal); },
    f: () => {                                     // a few times, since what folds depends on the scale
      view.spread = 1;
      for (let round = 0; round < 4; round++) zoom(view.scale * Math.max((scroll.clientHeight - HEAD - view.room) / (view.height - view.room), 0.01));
      scroll.scrollTop = 0;
    },
    "/": () => { box.focus(); box.select(); }, "?": () => { help.hidden = !help.hidden; }, s: () => { document.body.classList.toggle("bare"); },
    Escape: () => { if (!help.hidden) { help.hidden = true; return; } box.value = ""; search(); select(-1); scroll.focus(); },
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === box) {
      if (event.key === "Enter") { nextHit(!event.shiftKey); event.preventDefault(); }
      if (event.key === "Escape") actions.Escape();
      return;
    }
    const action = Object.hasOwn(actions, event.key) ? actions[event.key] : undefined;
    if (action) { event.preventDefault(); action(); }
  });
  all("button[data-key]").forEach((button) => { button.onclick = () => { actions[button.dataset.key](); scroll.focus(); }; });
  all("[data-event]").forEach((row) => { row.onclick = () => { const i = run.place.get(+row.dataset.event); if (i !== undefined) { select(i); go(i); } }; });
  filters.forEach((each) => {
    each.onchange = refilter;
    each.parentNode.ondblclick = (event) => {      // only this one of its row, or all of them again
      event.preventDefault();
      const row = filters.filter((other) => other.closest("div") === each.closest("div")), alone = row.every((other) => other.checked === (other === each));
      row.forEach((other) => { other.checked = alone || other === each; });
      refilter();
    };
  });
  box.oninput = search;

  // ---- begin ------------------------------------------------------------------------------------------------------------------
  all(".scripted").forEach((each) => { each.hidden = false; });
  const wanted = run.place.get(+location.hash.slice(1) || -1), first = wanted ?? (run.violation >= 0 ? run.violation : undefined);
  for (const event of ["wheel", "pointerdown", "keydown"]) addEventListener(event, () => { touched = true; }, { capture: true, passive: true });
  if (card && run.violation >= 0) {                // the faults that had a part in it, by the name they have in the side
    const seen = run.past(run.violation), list = card.querySelector(".bearing");
    for (const strike of run.strikes) if (run.bears(strike, seen)) { const button = link(strike[0], `${(time[strike[0]] / 1e6).toFixed(3)} s  ${strike[1]}`); list.append(button); }
    list.hidden = !list.querySelector("button");
  }
  selected = first ?? -1;
  focus(selected);
  // A notebook may give the frame its size only after the script has run, so the beginning is found anew until someone moves.
  new ResizeObserver(() => {
    if (!touched) {                                // a short run may fill the window
      view.scale = 1;
      draw(first);
      normal = view.scale = clamp((scroll.clientHeight - HEAD - view.room) / (view.height - view.room), 1, 1.7);
    }
    draw(touched ? undefined : first);
    if (!touched && first !== undefined) scroll.scrollTop = view.Y[first] + (first === run.violation ? view.room : 0) - scroll.clientHeight + HEAD + 30;
    look();
    describe(hovered >= 0 ? hovered : selected);
  }).observe(scroll);
})();
