// What is always there, whatever is in sight: axis, lanes, cuts, operations, faults, marks, evidence.  Texts are placed in the order
// of their weight, so that what matters most finds room first.
const makePainter = (run, svg, { view, fix, put, use, wide, wrap, label, claim, inPast, evidenceAt, strikeAt, AXIS, grid, shapes, words }) => {
  const x = (lane) => view.x[lane], there = (lane) => Number.isFinite(view.x[lane]);
  const rect = (parent, style, left, top, width, height, more) => put(parent, "rect", { class: style, x: left, y: top, width, height: Math.max(height, 1), ...more });
  const faded = (i) => (i < 0 || inPast(i) ? "" : " faded");

  // ---- time -----------------------------------------------------------------------------------------------------------------
  const STEPS = [100, 10, 5, 1, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 0.0005, 0.0001];
  const anchors = () => {                          // (seconds, top, bottom) of every moment at which something is
    const out = [[0, 0, 0]];
    for (let i = 0; i < run.count; i++) {
      const t = run.time[i] / 1e6, y = view.Y[i], last = out.at(-1);
      if (last[0] === t) { last[1] = Math.min(last[1], y); last[2] = Math.max(last[2], y); } else out.push([t, y, y]);
    }
    if (run.ended > out.at(-1)[0]) out.push([run.ended, view.Y[run.count], view.Y[run.count]]);
    return out;
  };
  const ticks = () => {
    const known = anchors(), chosen = [], span = known.at(-1)[0];
    const inside = (y) => view.folds.some(({ top, bottom }) => y > top && y < bottom);
    const place = (y) => { let low = 0, high = chosen.length; while (low < high) { const middle = (low + high) >> 1; if (chosen[middle][1] < y) low = middle + 1; else high = middle; } return low; };
    for (const step of STEPS) {
      if (step > span || span / step > 20000) continue;
      let multiple = 0;
      for (let k = 1; k < known.length; k++) {
        const [start, , above] = known[k - 1], [end, below] = known[k];
        for (; multiple * step <= end + 1e-9; multiple++) {
          const time = multiple * step;
          if (time < start - 1e-9) continue;
          const y = end > start ? above + ((time - start) / (end - start)) * (below - above) : below, at = place(y);
          if (inside(y) || [at - 1, at].some((j) => chosen[j] && Math.abs(chosen[j][1] - y) < 44)) continue;
          chosen.splice(at, 0, [time, y]);
        }
      }
    }
    return chosen;
  };
  const paintAxis = () => {
    const chosen = ticks();
    put(grid, "path", { class: "rule", d: chosen.map(([, y]) => `M${AXIS} ${fix(y)}H${fix(view.right)}`).join("") });
    for (const [time, y] of chosen) put(grid, "text", { class: "tick", x: AXIS - 7, y: y + 3.5 }, `${+time.toFixed(4)}${Number.isInteger(+time.toFixed(4)) ? ".0" : ""} s`);
    for (let y = 16; y < view.height; y += 1100) for (const each of run.lanes) if (there(each.number)) put(grid, "text", { class: "again", x: x(each.number), y }, each.name);
    for (const { top, bottom, from, to, after } of view.folds) {
      let messages = 0, first = Infinity, last = -Infinity;
      for (let i = 0; i < run.count; i++) {
        if (run.y[i] < from || run.y[i] > to) continue;
        if (run.kind[i] === "send" && view.folded[i]) messages++;
        first = Math.min(first, run.time[i]); last = Math.max(last, run.time[i]);
      }
      const group = put(grid, "g", { class: "fold", "data-after": after }), middle = (top + bottom) / 2;
      rect(group, "", AXIS, top + 5, view.right - AXIS, bottom - top - 10);
      const length = last - first;
      put(group, "text", { x: AXIS + 8, y: middle + 4 }, `${(length / 1e6).toFixed(length < 1e5 ? 3 : 1)} s quiet${messages ? `, ${messages} routine message${messages > 1 ? "s" : ""}` : ""} — click to unfold`);
    }
    for (let i = 0; i < run.count; i++) {
      if (run.kind[i] !== "calm") continue;
      put(grid, "path", { class: "calm", d: `M${AXIS} ${fix(view.Y[i])}H${fix(view.right)}` });
      label(words, "calm: all faults end", [[AXIS + 8, view.Y[i] - 4], [view.right - 8, view.Y[i] - 4, "end"]], { style: "calm" });
    }
  };

  // ---- lanes ----------------------------------------------------------------------------------------------------------------
  const WIDTH = { l: 10, c: 8, f: 4, n: 2 };
  const paintLanes = () => {
    for (const each of run.lanes) if (each.client && there(each.number)) rect(shapes, "clientlane", x(each.number) - 0.5, 0, 1, view.height - 12);
    for (const [lane, kind, from, to, , term] of run.spans) {
      if (!there(lane)) continue;
      const top = view.Y[from], tall = view.Y[to] - top, width = WIDTH[kind];
      if (width === undefined) rect(shapes, `band ${kind}`, x(lane) - 8, top, 16, tall);
      else if (!(run.lanes[lane].client && kind === "n")) rect(shapes, `lane ${kind}${term >= 0 ? ` q${term % 6}` : ""}`, x(lane) - width / 2, top, width, tall);
    }
  };
  const paintRoles = () => {                       // a role where it begins; a mere change of term only where there is room
    const before = new Map();
    for (const [lane, kind, from, , told, term] of [...run.spans].sort((a, b) => a[2] - b[2])) {
      if (!there(lane) || !WIDTH[kind] || !told) continue;
      const last = before.get(lane), outstanding = kind === "l" || kind === "c";
      before.set(lane, told);
      if (last === told || !inPast(from)) continue;
      const words1 = outstanding || (last !== undefined && last.split(" term ")[0] !== told.split(" term ")[0]) ? told : last !== undefined ? told.slice(told.indexOf("term ")) : "";
      label(words, words1, [[x(lane) + 9, view.Y[from] + 10], [x(lane) + 9, view.Y[from] + 20], [x(lane) - 9, view.Y[from] + 10, "end"]], {
        style: `role ${kind} q${Math.max(term, 0) % 6}`, bold: outstanding, force: outstanding && view.scale >= 0.5, most: view.column[lane] - 14,
      });
    }
  };
  const paintHalts = () => {
    for (const [lane, kind, from, to, told] of run.spans) {
      if (WIDTH[kind] || !there(lane) || view.Y[to] - view.Y[from] < 12) continue;
      label(words, told, [[x(lane) - 11, view.Y[from] + 14, "end"], [x(lane) + 11, view.Y[from] + 22]], { style: "halt", size: 9.5 });
    }
  };

  // ---- partitions: a wall around what was cut off, with chevrons in the direction in which nothing got through --------------
  const paintCuts = () => {
    for (const [from, to, inside, outside, way, told] of run.cuts) {
      const top = view.Y[from], bottom = view.Y[to], lanes = [...inside, ...outside].filter(there);
      if (!lanes.length) continue;
      for (const lane of inside.filter(there)) {
        const group = put(shapes, "g", { class: `cut ${way}` }), left = x(lane) - 19;
        rect(group, "wash", left, top, 38, bottom - top);
        let chevrons = "";
        for (let y = top + 3; way !== "both" && y < bottom - 8; y += 16) chevrons += way === "in" ? `M${fix(left + 3)} ${fix(y)}l4 4-4 4m28-8l-4 4 4 4` : `M${fix(left + 7)} ${fix(y)}l-4 4 4 4m24-8l4 4-4 4`;
        put(group, "path", { class: "chevron", d: chevrons });
        put(group, "path", { class: "wall", d: `M${fix(left)} ${fix(top)}V${fix(bottom)}m38 0V${fix(top)}` });
      }
      const sides = lanes.map(x), last = inside.findLast(there) ?? lanes[0];
      for (const [y, end] of to < run.count ? [[top, false], [bottom, true]] : [[top, false]]) {
        put(shapes, "path", { class: `span${end ? " heal" : ""}`, d: `M${fix(Math.min(...sides))} ${fix(y)}H${fix(Math.max(...sides))}` });
        for (const lane of lanes) if (!end) use(words, inside.includes(lane) ? "inside" : "outside", x(lane), y);
      }
      const free = Math.max(...sides) > x(last) ? view.column[last] - 40 : 400;
      const lines = wrap(told, Math.max(free, 90), 9.5, 3);
      label(words, lines, [[x(last) + 23, top + 13], [x(last) - 23, top + 13, "end"]], { style: "cutlabel", size: 9.5 });
      if (to < run.count) label(words, "healed", [[x(last) + 23, bottom - 3]], { style: "cutlabel heal", size: 9.5 });
    }
  };

  // ---- operations -------------------------------------------------------------------------------------------------------------
  const blamed = new Map(run.evidence.filter(([, operation]) => operation >= 0).map(([place, operation]) => [operation, place]));
  const paintOperations = () => {
    run.operations.forEach(([start, end, outcome, call, result], number) => {
      const lane = start < 0 ? -1 : run.lane[start];
      if (lane < 0 || !there(lane) || (view.alone && !inPast(end < 0 ? start : end))) return;
      const top = view.Y[start], bottom = end < 0 ? view.height - 12 : Math.max(view.Y[end], top + 4);
      const rank = blamed.has(number) ? (blamed.get(number) === run.violation ? " decisive" : " blamed") : "";
      rect(shapes, `op ${outcome}${rank}${end < 0 ? " open" : ""}${rank ? "" : faded(start)}`, x(lane) - 4.5, top, 9, bottom - top);
    });
  };
  const nameOperations = (wanted) => {
    run.operations.forEach(([start, end, outcome, call, result], number) => {
      const lane = start < 0 ? -1 : run.lane[start];
      if (lane < 0 || !there(lane) || blamed.has(number) !== wanted || (view.alone && !inPast(end < 0 ? start : end))) return;
      const top = view.Y[start], bottom = end < 0 ? view.height - 12 : Math.max(view.Y[end], top + 4), left = x(lane) + (wanted ? 12 : 9);
      const rank = wanted ? (blamed.get(number) === run.violation ? " decisive" : " blamed") : "", most = view.column[lane] - 20;
      const options = { style: `optext${rank || faded(start)}`, size: 10.5, bold: rank !== "", most, force: wanted };
      if (bottom - top < 15) { label(words, `${call} → ${result}`, [[left, (top + bottom) / 2 + 4]], { ...options, style: `${options.style} ${outcome}` }); return; }
      label(words, call, [[left, top + 9]], options);
      if (end >= 0) label(words, `→ ${result}`, [[left, rank === " decisive" ? bottom - 5 : bottom]], { ...options, style: `${options.style} ${outcome}` });
    });
  };

  // ---- faults and what they did -----------------------------------------------------------------------------------------------
  const paintFaults = () => {
    for (const strike of run.strikes) {
      const [place, what, became, struck, hosts] = strike, y = view.Y[place], left = AXIS + 15, most = view.gutter - 22;
      const bears = !view.past || run.bears(strike, view.past);
      if (view.alone && !bears) continue;
      const style = `fault${struck ? "" : " idle"}${bears ? "" : " faded"}`, reach = hosts.filter(there).map(x);
      if (reach.length) put(shapes, "path", { class: `reach${bears ? "" : " faded"}`, d: `M${AXIS} ${fix(y)}H${fix(Math.min(...reach) - 10)}` });
      use(words, struck ? "bolt" : "dud", AXIS + 7, y, bears ? "" : "faded");
      if (view.scale < 0.04) continue;
      const called = wrap(what, most, 10.5, 2, true);
      label(words, called, [[left, y + 4]], { style, size: 10.5, bold: true, force: view.scale >= 0.5 });
      if (view.scale >= 0.5) label(words, wrap(became, most, 10, 4 - called.length), [[left, y + 4 + 12 * called.length]], { style: style + " sub", size: 10 });
    }
  };
  const MARKS = { kill: "kill", "power-loss": "power", restart: "up", crash: "crash", exit: "exit", pause: "pause", resume: "play" };
  const WORDS = { kill: "killed", power: "power loss", pause: "paused", play: "resumed", exit: "exited" };
  const paintMarks = () => {
    for (let i = 0; i < run.count; i++) {
      const lane = run.lane[i];
      if (!(run.kind[i] in MARKS) || lane < 0 || !there(lane) || view.folded[i]) continue;
      const shape = run.kind[i] === "kill" && run.field(i, "mode") === "power" ? "power" : MARKS[run.kind[i]], y = view.Y[i];
      use(words, shape, x(lane), y, faded(i).trim());
      const told = WORDS[shape] ?? (shape === "up" ? `restart ${run.field(i, "incarnation")}` : `crash: ${run.field(i, "error")}`);
      const loud = shape === "kill" || shape === "power" || shape === "crash";
      const base = y + (i === run.violation ? -6 : 3.5);
      label(words, told, [[x(lane) + 11, base], [x(lane) - 11, base, "end"]], { style: `mark ${shape}${faded(i)}`, bold: loud, force: loud && view.scale >= 0.5, most: 240 });
    }
  };
  const paintEvidence = () => {                    // numbers at what the verdict speaks of, the same as in the side
    if (run.violation >= 0) put(shapes, "path", { class: "violation", d: `M${AXIS} ${fix(view.Y[run.violation])}H${fix(view.right)}` });
    run.evidence.forEach(([place, operation], number) => {
      const lane = run.lane[place], at = lane < 0 ? AXIS + 9 : x(lane), y = view.Y[place], last = place === run.violation ? " last" : "";
      if (!Number.isFinite(at)) return;
      if (operation < 0) put(words, "circle", { class: "ring" + last, cx: at, cy: y, r: 10 });
      const group = put(words, "g", { class: "number" + last, transform: `translate(${fix(at - 17)} ${fix(y - (operation < 0 ? 12 : 0))})` });
      put(group, "circle", { r: 7.5 });
      put(group, "text", { y: 3.5 }, String(number + 1));
      claim(at - 25, y - (operation < 0 ? 10 : -2), 17);
      if (operation < 0 && run.kind[place] === "observe") label(words, run.summary(place), [[at + 14, y + (last ? -5 : 3.5)], [at + 14, y - 9]], { style: `told${last}`, bold: true, most: 230, force: true });
    });
  };
  const paintHalo = () => {                        // how far down each lane the past of the selection reaches
    if (!view.past) return;
    const reach = new Map();
    for (let i = 0; i < run.count; i++) if (view.past[i] === 1 && run.lane[i] >= 0) reach.set(run.lane[i], Math.max(reach.get(run.lane[i]) ?? 0, view.Y[i]));
    for (const [lane, bottom] of reach) if (there(lane)) rect(shapes, "halo", x(lane) - 12, 0, 24, bottom, { rx: 6 });
  };

  return () => {
    paintAxis();
    paintHalo();
    paintCuts();
    paintLanes();
    paintOperations();
    paintEvidence();
    nameOperations(true);
    paintFaults();
    paintMarks();
    nameOperations(false);
    paintRoles();
    paintHalts();
  };
};
