// What one does with the picture: look closer, point, click, walk from event to event, search, hide, fold.
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)], one = (selector) => document.querySelector(selector);
  const run = readRun(JSON.parse(one("script.data").textContent)), { count, kind, lane, cause } = run;
  const stage = one(".stage"), scroll = one(".scroll"), svg = one("svg.diagram"), over = one("g.over"), card = one(".card");
  const heads = one(".heads"), map = one(".map"), frame = one(".map div"), help = one(".help"), tip = one(".tip");
  const box = one(".bar input"), found = one(".bar output"), filters = all(".filters input");
  const drawing = makeDrawing(run, svg), { view, visible, spot } = drawing;
  const details = makeDetails(run, one(".panel"), tip, (i) => { select(i); go(i); });
  const HEAD = heads.offsetHeight, clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  let selected = -1, hovered = -1, hits = [], touched = false, normal = 1;

  // ---- drawing anew, and keeping what one looks at where it is ----------------------------------------------------------
  const nearest = (height) => {                   // the event nearest to a height of the screen
    let best = -1;
    for (let i = 0; i < count; i++) if (best < 0 || Math.abs(view.Y[i] - height) < Math.abs(view.Y[best] - height)) best = i;
    return best;
  };
  const draw = (at) => {
    const anchor = at ?? nearest(scroll.scrollTop + scroll.clientHeight / 2), offset = view.Y[anchor] - scroll.scrollTop;
    view.width = scroll.clientWidth;
    if (card) {                                   // it needs room before the rest can be placed
      card.style.left = `${view.axis + 10}px`;
      card.style.width = `${clamp(scroll.clientWidth - view.axis - 24, 240, 860)}px`;
      view.room = card.offsetHeight + 26;
    }
    svg.classList.toggle("far", view.scale < 0.35);
    svg.classList.toggle("farther", view.scale < 0.15);
    drawing.lay();
    drawing.paint();
    if (card) card.style.top = `${view.Y[run.violation] + HEAD + 12}px`;
    heads.style.width = svg.style.width = `${Math.ceil(view.right)}px`;
    for (const { number } of run.lanes) {
      heads.children[number].hidden = !Number.isFinite(view.x[number]);
      Object.assign(heads.children[number].style, { left: `${view.x[number]}px`, width: `${view.column[number] - 4}px` });
    }
    const left = view.axis + view.gutter;
    map.firstChild.setAttribute("viewBox", `${left} 0 ${fix(view.right - left)} ${fix(view.height)}`);
    if (anchor >= 0) scroll.scrollTop = view.Y[anchor] - offset;
    look();
    overlay();
  };
  const shortened = (told, named) => told.slice(0, told.length - named.length) + named.replace(/^term /, "");
  const look = () => {
    const top = scroll.scrollTop, tall = scroll.scrollHeight || 1;
    drawing.show(top, top + scroll.clientHeight);
    frame.style.top = (100 * top) / tall + "%";
    frame.style.height = (100 * scroll.clientHeight) / tall + "%";
    const states = run.lanes.map(() => ["", ""]); // what each host was at the top of what is in sight
    for (const [number, style, from, to, told, , named] of run.spans) {
      const covers = view.Y[from] <= top + 40 && view.Y[to] > top + 40;
      if (covers && (told || style === "n") && states[number][1] !== "down") states[number] = [shortened(told, named), style];
    }
    states.forEach(([textContent, className], number) => Object.assign(heads.children[number].lastChild, { textContent, className }));
  };
  const zoom = (wanted, at = scroll.clientHeight / 2) => {
    const anchor = nearest(scroll.scrollTop + at);
    view.scale = clamp(wanted, Math.min(0.02, scroll.clientHeight / run.height), 16);
    draw(anchor);
  };
  const widen = (wanted) => { view.spread = clamp(wanted, 0.25, 8); draw(); };
  const whole = () => {                           // the scale at which everything is in sight
    const most = scroll.clientHeight - HEAD - view.room;
    return view.scale * Math.max(most / (view.height - view.room), 0.01);
  };
  const go = (i, where = 0.45) => {
    const fold = view.folded[i] ? view.folds.find((each) => run.y[i] > each.from && run.y[i] < each.to) : undefined;
    if (fold) { view.opened.add(fold.after); draw(); }
    const top = view.Y[i] - scroll.scrollTop, left = spot(i) - scroll.scrollLeft;
    if (top < 60 || top > scroll.clientHeight - 60) scroll.scrollTop = view.Y[i] - scroll.clientHeight * where;
    if (left < 20 || left > scroll.clientWidth - 20) scroll.scrollLeft = spot(i) - scroll.clientWidth / 2;
    look();
  };

  // ---- what is pointed at, what is selected -------------------------------------------------------------------------------
  const overlay = () => {
    over.replaceChildren();
    for (const i of hits) if (visible(i)) put(over, "circle", { class: "found", cx: spot(i), cy: view.Y[i], r: 6 });
    for (const [i, style] of [[selected, "on"], [hovered, "hover"]]) {
      if (i < 0 || !Number.isFinite(spot(i))) continue;
      put(over, "circle", { class: style, cx: spot(i), cy: view.Y[i], r: 8 });
      if (run.flightOf.has(i)) put(over, "path", { class: style, d: drawing.arrow(run.flightOf.get(i)) });
    }
  };
  const describe = () => { const i = hovered >= 0 ? hovered : selected; details.describe(i, i === selected ? view.past : null); };
  const focus = (i) => {
    selected = i;
    view.past = i >= 0 ? run.pastOf(i) : null;
    if (!view.past) view.alone = false;
    svg.classList.toggle("focus", view.past !== null);
    for (const button of all("[data-key=p]")) { button.classList.toggle("down", view.alone); button.disabled = !view.past; }
  };
  const select = (i) => {
    focus(i);
    draw(i >= 0 && !view.folded[i] ? i : undefined);
    describe();
  };

  // ---- the pointer ----------------------------------------------------------------------------------------------------------
  const distance = (px, py, [x1, y1, x2, y2]) => {
    const dx = x2 - x1, dy = y2 - y1, length = dx * dx + dy * dy;
    const share = length ? clamp(((px - x1) * dx + (py - y1) * dy) / length, 0, 1) : 0;
    return Math.hypot(px - x1 - share * dx, py - y1 - share * dy);
  };
  const reach = (i) => {                          // the line that stands for an event
    const flight = run.flightOf.get(i), x = spot(i), y = view.Y[i];
    return flight ? drawing.ends(flight) : [x, kind[i] === "complete" && cause[i] >= 0 ? view.Y[cause[i]] : y, x, y];
  };
  const pick = (event) => {
    const frame = svg.getBoundingClientRect(), px = event.clientX - frame.left, py = event.clientY - frame.top;
    const gutter = px > view.axis && px < view.axis + view.gutter;
    let best = -1, least = 9;
    for (let i = 0; i < count; i++) {
      const top = run.flightOf.has(i) || kind[i] === "complete" ? view.Y[Math.max(cause[i], 0)] : view.Y[i];
      if (view.Y[i] < py - 30 || top > py + 30 || !visible(i)) continue;
      const named = kind[i] === "strike" && gutter && py > view.Y[i] - 8 && py < view.Y[i] + 28;
      const second = kind[i] === "observe" || kind[i] === "send" ? 3 : run.flightOf.has(i) && run.routine[i] ? 1 : 0;
      const away = named ? 0 : distance(px, py, reach(i)) + second;
      if (away < least) { least = away; best = i; }
    }
    return best;
  };
  const hover = (event) => {
    const next = event.target.closest(".card, .heads") ? -1 : pick(event), changed = next !== hovered;
    hovered = next;
    details.whisper(hovered, event, stage.getBoundingClientRect());
    scroll.style.cursor = hovered >= 0 || event.target.closest(".fold") ? "pointer" : "";
    if (changed) { overlay(); describe(); }
  };
  let pending = 0, drag = null;
  scroll.addEventListener("mousemove", (event) => {
    cancelAnimationFrame(pending);
    if (!drag) { pending = requestAnimationFrame(() => hover(event)); return; }
    scroll.scrollLeft = drag.left - event.clientX;
    scroll.scrollTop = drag.top - event.clientY;
    drag.moved ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 4;
  });
  scroll.addEventListener("mouseleave", () => {
    cancelAnimationFrame(pending);
    hovered = -1;
    tip.hidden = true;
    overlay();
    describe();
  });
  scroll.addEventListener("mousedown", (event) => {
    const { clientX: x, clientY: y } = event, frame = scroll.getBoundingClientRect();
    const bars = x - frame.left > scroll.clientWidth || y - frame.top > scroll.clientHeight;
    if (event.button || bars || event.target.closest(".card")) return;
    drag = { x, y, left: scroll.scrollLeft + x, top: scroll.scrollTop + y, moved: false };
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
    if (event.shiftKey) widen(view.spread * factor);
    else zoom(view.scale * factor, event.clientY - scroll.getBoundingClientRect().top - HEAD);
  }, { passive: false });
  let scrolled = 0;
  scroll.addEventListener("scroll", () => { cancelAnimationFrame(scrolled); scrolled = requestAnimationFrame(look); });
  addEventListener("beforeprint", () => drawing.show(-Infinity, Infinity));
  const travel = (event) => {
    const area = map.getBoundingClientRect();
    scroll.scrollTop = ((event.clientY - area.top) / area.height) * scroll.scrollHeight - scroll.clientHeight / 2;
  };
  map.addEventListener("pointerdown", (event) => { map.setPointerCapture(event.pointerId); travel(event); });
  map.addEventListener("pointermove", (event) => { if (event.buttons) travel(event); });

  // ---- search and filters -----------------------------------------------------------------------------------------------------
  let texts = null;
  const search = () => {                          // all words must be there, in any order
    const wanted = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    texts ??= Array.from({ length: count }, (_, i) => `${kind[i]} ${run.title(i)} ${run.host(i)} ${run.summary(i)}`.toLowerCase());
    hits = [];
    for (let i = 0; wanted.length && i < count; i++) {
      if (drawing.shown(i) && wanted.every((word) => texts[i].includes(word))) hits.push(i);
    }
    found.textContent = wanted.length ? `${hits.length} found` : "";
    overlay();
  };
  const refilter = () => {
    for (const hidden of [view.hiddenTypes, view.hiddenLanes, view.hiddenKinds]) hidden.clear();
    for (const { checked, dataset: { type, host, kind } } of filters) {
      if (checked) continue;
      if (type) view.hiddenTypes.add(+type); else if (host) view.hiddenLanes.add(+host); else view.hiddenKinds.add(kind);
    }
    search();
    draw();
  };
  const isolate = (input) => {                    // only this one of its row, or all of them again
    const row = filters.filter((other) => other.closest("div") === input.closest("div"));
    const alone = row.every((other) => other.checked === (other === input));
    for (const other of row) other.checked = alone || other === input;
    refilter();
  };

  // ---- keys -------------------------------------------------------------------------------------------------------------------
  const visit = (i, where) => { if (i >= 0) { select(i); go(i, where); } };
  const step = (forward, wanted) => {             // to the next event, from the selection or else from the top of what is in sight
    const top = view.Y.findIndex((y) => y >= scroll.scrollTop + 30), way = forward ? 1 : -1;
    let i = selected >= 0 ? selected + way : forward ? top : top - 1;
    while (i >= 0 && i < count && !wanted(i)) i += way;
    if (i >= 0 && i < count) visit(i);
    return i >= 0 && i < count;
  };
  const nextHit = (forward) => {
    const among = new Set(hits);
    if (!hits.length) return;
    if (!step(forward, (i) => among.has(i))) visit(forward ? hits[0] : hits.at(-1));
    found.textContent = `${hits.indexOf(selected) + 1} / ${hits.length}`;
  };
  const here = (i) => visible(i) && lane[i] === lane[selected];
  const toggle = (what, key) => {
    view[what] = !view[what];
    view.opened.clear();
    for (const button of all(`[data-key=${key}]`)) button.classList.toggle("down", view[what]);
    draw(selected >= 0 ? selected : undefined);
  };
  const actions = {
    j: () => step(true, visible),
    k: () => step(false, visible),
    J: () => selected >= 0 && step(true, here),
    K: () => selected >= 0 && step(false, here),
    c: () => { if (selected >= 0) visit(cause[selected] >= 0 ? cause[selected] : run.before[selected]); },
    v: () => visit(run.violation, 0.6),
    p: () => { if (view.past) toggle("alone", "p"); },
    q: () => toggle("fold", "q"),
    n: () => nextHit(true),
    N: () => nextHit(false),
    "/": () => { box.focus(); box.select(); },
    "+": () => zoom(view.scale * 1.4),
    "=": () => zoom(view.scale * 1.4),
    "-": () => zoom(view.scale / 1.4),
    "]": () => widen(view.spread * 1.25),
    "[": () => widen(view.spread / 1.25),
    0: () => { view.spread = 1; zoom(normal); },
    f: () => {                                    // a few times, since what folds depends on the scale
      view.spread = 1;
      for (let round = 0; round < 4; round++) zoom(whole());
      scroll.scrollTop = 0;
    },
    s: () => document.body.classList.toggle("bare"),
    "?": () => { help.hidden = !help.hidden; },
    Escape: () => {
      if (!help.hidden) { help.hidden = true; return; }
      box.value = "";
      search();
      select(-1);
      scroll.focus();
    },
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === box) {
      if (event.key === "Enter") { nextHit(!event.shiftKey); event.preventDefault(); }
      if (event.key === "Escape") actions.Escape();
    } else if (Object.hasOwn(actions, event.key)) {
      event.preventDefault();
      actions[event.key]();
    }
  });
  for (const button of all("button[data-key]")) button.onclick = () => { actions[button.dataset.key](); scroll.focus(); };
  for (const row of all("[data-event]")) row.onclick = () => visit(run.place.get(+row.dataset.event) ?? -1);
  for (const input of filters) {
    input.onchange = refilter;
    input.parentNode.ondblclick = (event) => { event.preventDefault(); isolate(input); };
  }
  box.oninput = search;
  help.onclick = () => { help.hidden = true; };

  // ---- begin ------------------------------------------------------------------------------------------------------------------
  for (const each of all(".scripted")) each.hidden = false;
  const touch = () => { touched = true; };
  for (const event of ["wheel", "pointerdown", "keydown"]) addEventListener(event, touch, { capture: true, passive: true });
  if (card) {                                     // the faults that had a part in it
    const seen = run.pastOf(run.violation), list = card.querySelector(".bearing");
    const bearing = run.strikes.filter((strike) => seen[strike[0]]);
    for (const [place, what] of bearing) list.append(details.link(place, `${(run.time[place] / 1e6).toFixed(3)} s  ${what}`));
    list.hidden = !bearing.length;
  }
  const first = run.place.get(+location.hash.slice(1) || -1) ?? run.violation;
  focus(first);
  // A notebook may give the frame its size only after the script has run, so the beginning is found anew until someone moves.
  new ResizeObserver(() => {
    if (touched) { draw(); return; }
    view.scale = 1;
    draw(first >= 0 ? first : undefined);
    normal = view.scale = clamp(whole(), 1, 1.7); // a short run may fill the window
    draw(first >= 0 ? first : undefined);
    if (first >= 0) scroll.scrollTop = view.Y[first] + (first === run.violation ? view.room : 0) - scroll.clientHeight + HEAD + 30;
    look();
    describe();
  }).observe(scroll);
})();
