// What is always there, whatever is in sight: axis, lanes, cuts, operations, faults, marks, evidence.  Texts are placed in the
// order of their weight, so that what matters most finds room first.
const paintScenery = (run, view, { inPast, grid, shapes, words, room }) => {
  const { label } = room, { Y, axis } = view;
  const x = (lane) => view.x[lane], there = (lane) => Number.isFinite(view.x[lane]);
  const rect = (parent, style, left, top, width, height, more) => (
    put(parent, "rect", { class: style, x: left, y: top, width, height: Math.max(height, 1), ...more }));
  const faded = (i) => (inPast(i) ? "" : " faded");
  const close = view.scale >= 0.5;                // texts that matter are forced only where there is some room at all

  // ---- time ---------------------------------------------------------------------------------------------------------------
  const STEPS = [100, 10, 5, 1, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 0.0005, 0.0001], APART = 44;
  const moments = () => {                         // [seconds, top, bottom] of every moment at which something is
    const found = [[0, 0, 0]];
    for (let i = 0; i < run.count; i++) {
      const seconds = run.time[i] / 1e6, last = found.at(-1);
      if (last[0] !== seconds) found.push([seconds, Y[i], Y[i]]);
      else { last[1] = Math.min(last[1], Y[i]); last[2] = Math.max(last[2], Y[i]); }
    }
    if (run.ended > found.at(-1)[0]) found.push([run.ended, Y[run.count], Y[run.count]]);
    return found;
  };
  const ticks = () => {                           // round times, the roundest first, wherever they stand apart
    const known = moments(), chosen = [], span = known.at(-1)[0];
    const folded = (y) => view.folds.some(({ top, bottom }) => y > top && y < bottom);
    const rank = (y) => {
      let low = 0, high = chosen.length;
      while (low < high) { const middle = (low + high) >> 1; if (chosen[middle][1] < y) low = middle + 1; else high = middle; }
      return low;
    };
    for (const step of STEPS.filter((step) => step <= span && span / step <= 20000)) {
      let multiple = 0;
      for (let k = 1; k < known.length; k++) {
        const [start, , above] = known[k - 1], [end, below] = known[k];
        for (; multiple * step <= end + 1e-9; multiple++) {
          const time = multiple * step, share = end > start ? (time - start) / (end - start) : 1;
          if (time < start - 1e-9) continue;
          const y = above + share * (below - above), at = rank(y);
          const crowded = [chosen[at - 1], chosen[at]].some((near) => near && Math.abs(near[1] - y) < APART);
          if (!crowded && !folded(y)) chosen.splice(at, 0, [time, y]);
        }
      }
    }
    return chosen;
  };
  const paintAxis = () => {
    const chosen = ticks();
    put(grid, "path", { class: "rule", d: chosen.map(([, y]) => `M${axis} ${fix(y)}H${fix(view.right)}`).join("") });
    for (const [time, y] of chosen) {
      const seconds = String(+time.toFixed(4));
      put(grid, "text", { class: "tick", x: axis - 7, y: y + 3.5 }, seconds.includes(".") ? `${seconds} s` : `${seconds}.0 s`);
    }
    for (let y = 16; y < view.height; y += 1100) {                   // lane names again and again, for paper only
      for (const { number, name } of run.lanes) if (there(number)) put(grid, "text", { class: "again", x: x(number), y }, name);
    }
    for (let i = 0; i < run.count; i++) {
      if (run.kind[i] !== "calm") continue;
      put(grid, "path", { class: "calm", d: `M${axis} ${fix(Y[i])}H${fix(view.right)}` });
      room.line(axis, Y[i], view.right, Y[i]);
      label(words, "calm: all faults end", [[axis + 8, Y[i] - 4], [view.right - 8, Y[i] - 4, "end"]], { style: "calm" });
    }
  };
  const paintFolds = () => {
    for (const { top, bottom, from, to, after } of view.folds) {
      let messages = 0, first = Infinity, last = 0;
      for (let i = 0; i < run.count; i++) {
        if (run.y[i] < from || run.y[i] > to) continue;
        if (run.kind[i] === "send" && view.folded[i]) messages++;
        first = Math.min(first, run.time[i]);
        last = Math.max(last, run.time[i]);
      }
      const group = put(grid, "g", { class: "fold", "data-after": after }), length = last - first;
      rect(group, "", axis, top + 5, view.right - axis, bottom - top - 10);
      const told = messages ? `, ${messages} routine message${messages > 1 ? "s" : ""}` : "";
      const text = `${(length / 1e6).toFixed(length < 1e5 ? 3 : 1)} s quiet${told} — click to unfold`;
      const y = (top + bottom) / 2 + 4, lanes = view.x.filter(Number.isFinite).sort((a, b) => a - b);
      const starts = [axis - 4, ...lanes], ends = [...lanes, view.right], needed = wide(text, 11) + 24;
      const gap = starts.findIndex((left, k) => ends[k] - left >= needed);
      label(words, text, [[(gap < 0 ? axis : starts[gap]) + 12, y]], { style: "quiet", size: 11, force: true });
    }
  };

  // ---- lanes --------------------------------------------------------------------------------------------------------------
  const WIDTH = { l: 10, c: 8, f: 4, n: 2 };      // leads, would like to, any other role, none
  const paintLanes = () => {
    for (const { number, client } of run.lanes) {
      if (client && there(number)) rect(shapes, "clientlane", x(number) - 0.5, 0, 1, view.height - 12);
    }
    for (const [lane, kind, from, to, , term] of run.spans) {
      if (!there(lane) || (run.lanes[lane].client && kind === "n")) continue;
      const top = Y[from], tall = Y[to] - top, width = WIDTH[kind], hue = term >= 0 ? ` q${term % 6}` : "";
      if (width) rect(shapes, `lane ${kind}${hue}`, x(lane) - width / 2, top, width, tall);
      else rect(shapes, `band ${kind}`, x(lane) - 8, top, 16, tall);
    }
  };
  const paintRoles = () => {                      // a role where it begins; a mere change of term only where there is room
    const before = new Map();
    for (const [lane, kind, from, , told, term, named] of [...run.spans].sort((a, b) => a[2] - b[2])) {
      if (!there(lane) || !WIDTH[kind] || !told) continue;
      const last = before.get(lane), outstanding = kind === "l" || kind === "c";
      const role = told.slice(0, told.length - named.length);
      before.set(lane, { told, role });
      if (last?.told === told || !inPast(from) || run.evidenceOf.has(from)) continue;
      const text = last?.role === role && named ? named : told;
      if (last === undefined && !outstanding) continue;
      const spots = [10, 20, 30, -3].flatMap((down) => [[x(lane) + 9, Y[from] + down], [x(lane) - 9, Y[from] + down, "end"]]);
      const style = `role ${kind} q${Math.max(term, 0) % 6}`, most = Math.max(view.column[lane] - 14, 140);
      label(words, outstanding ? told : text, spots, { style, bold: outstanding, force: outstanding && close, most });
    }
  };
  const paintHalts = () => {
    for (const [lane, kind, from, to, told] of run.spans) {
      if (WIDTH[kind] || !there(lane) || Y[to] - Y[from] < 12 || (view.alone && !inPast(from))) continue;
      label(words, told, [[x(lane) - 11, Y[from] + 14, "end"], [x(lane) + 11, Y[from] + 22]], { style: "halt", size: 9.5 });
    }
  };
  const paintHalo = () => {                       // how far down each lane the past reaches
    const reach = new Map();
    for (let i = 0; view.past && i < run.count; i++) {
      if (view.past[i] === 1 && run.lane[i] >= 0) reach.set(run.lane[i], Math.max(reach.get(run.lane[i]) ?? 0, Y[i]));
    }
    for (const [lane, bottom] of reach) if (there(lane)) rect(shapes, "halo", x(lane) - 12, 0, 24, bottom, { rx: 6 });
  };

  // ---- partitions: a wall around what was cut off, chevrons in the direction in which nothing got through -------------------
  const chevrons = (way, left, top, bottom) => {
    let path = "";
    for (let y = top + 3; y < bottom - 8; y += 16) {
      path += way === "in" ? `M${fix(left + 3)} ${fix(y)}l4 4-4 4m28-8l-4 4 4 4` : `M${fix(left + 7)} ${fix(y)}l-4 4 4 4m24-8l4 4-4 4`;
    }
    return path;
  };
  const paintCut = ([from, to, inside, outside, way]) => {
    const top = Y[from], bottom = Y[to], lanes = [...inside, ...outside].filter(there), sides = lanes.map(x);
    if (!lanes.length) return;
    for (const lane of inside.filter(there)) {
      const group = put(shapes, "g", { class: `cut ${way}` }), left = x(lane) - 19;
      rect(group, "wash", left, top, 38, bottom - top);
      if (way !== "both") put(group, "path", { class: "chevron", d: chevrons(way, left, top, bottom) });
      put(group, "path", { class: "wall", d: `M${fix(left)} ${fix(top)}V${fix(bottom)}m38 0V${fix(top)}` });
    }
    const across = (y) => `M${fix(Math.min(...sides))} ${fix(y)}H${fix(Math.max(...sides))}`;
    put(shapes, "path", { class: "span", d: across(top) });
    for (const y of to < run.count ? [top, bottom] : [top]) room.line(Math.min(...sides), y, Math.max(...sides), y);
    for (const lane of lanes) mark(words, inside.includes(lane) ? "inside" : "outside", x(lane), top);
    if (to < run.count) put(shapes, "path", { class: "span heal", d: across(bottom) });
  };
  const nameCut = ([from, to, inside, outside, , told]) => {
    const top = Y[from], bottom = Y[to], lanes = [...inside, ...outside].filter(there), sides = lanes.map(x);
    if (!lanes.length) return;
    const last = inside.findLast(there) ?? lanes[0], most = Math.max(...sides) > x(last) ? Math.max(view.column[last] - 40, 90) : 400;
    const spots = [[x(last) + 23, top + 13], [x(last) - 23, top + 13, "end"]];
    label(words, wrap(told, most, 9.5, 3), spots, { style: "cutlabel", size: 9.5 });
    if (to < run.count) label(words, "healed", [[x(last) + 23, bottom - 3]], { style: "cutlabel heal", size: 9.5 });
  };

  // ---- operations -----------------------------------------------------------------------------------------------------------
  const blamed = new Map(run.evidence.filter(([, number]) => number >= 0).map(([place, number]) => [number, place]));
  const operations = run.operations.flatMap(([start, end, outcome, call, result], number) => {
    const lane = start < 0 ? -1 : run.lane[start], last = end < 0 ? start : end;
    if (lane < 0 || !there(lane) || (view.alone && !inPast(last))) return [];
    const rank = !blamed.has(number) ? "" : blamed.get(number) === run.violation ? " decisive" : " blamed";
    const bottom = end < 0 ? view.height - 12 : Math.max(Y[end], Y[start] + 4);
    return [{ lane, end, outcome, call, result, rank, top: Y[start], bottom, dim: rank ? "" : faded(start) }];
  });
  const paintOperations = () => {
    for (const { lane, end, outcome, rank, top, bottom, dim } of operations) {
      rect(shapes, `op ${outcome}${rank}${end < 0 ? " open" : ""}${dim}`, x(lane) - 4.5, top, 9, bottom - top);
    }
  };
  const nameOperations = (wanted) => {            // what was called where it begins, what came of it where it ends
    for (const { lane, end, outcome, call, result, rank, top, bottom, dim } of operations) {
      if (Boolean(rank) !== wanted) continue;
      const left = x(lane) + (rank ? 12 : 9), style = `optext${rank}${dim}`, ended = { style: `${style} ${outcome}` };
      const options = { style, size: 10.5, bold: wanted, most: view.column[lane] - 20, force: wanted };
      if (bottom - top < 15) label(words, `${call} → ${result}`, [[left, (top + bottom) / 2 + 4]], { ...options, ...ended });
      else {
        const right = x(lane) - (rank ? 26 : 9), spots = [9, 20, -3].flatMap((down) => [[left, top + down], [right, top + down, "end"]]);
        label(words, call, spots.filter(([, y]) => y < bottom - 12), options);
        if (end >= 0) label(words, `→ ${result}`, [[left, bottom - (rank === " decisive" ? 5 : 0)], [left, bottom - 9]], { ...options, ...ended });
      }
    }
  };

  // ---- faults and what they did ---------------------------------------------------------------------------------------------
  const paintFaults = () => {
    for (const strike of run.strikes) {
      const [place, , , struck, hosts] = strike, y = Y[place], left = axis + 15;
      const bears = !view.past || view.past[place] > 0, dim = bears ? "" : " faded";
      if (view.alone && !bears) continue;
      const reach = hosts.filter(there).map(x), style = `fault${struck ? "" : " idle"}${dim}`;
      if (reach.length) put(shapes, "path", { class: "reach" + dim, d: `M${axis} ${fix(y)}H${fix(Math.min(...reach) - 10)}` });
      mark(words, struck ? "bolt" : "dud", axis + 7, y, dim.trim());
      if (view.scale < 0.04) continue;
      const [called, told] = view.tells(strike);
      // Below whatever struck at the same moment.
      const spots = [0, 1, 2, 3].map((down) => [left, y + 4 + 12 * down * (called.length + told.length)]);
      const spot = label(words, called, spots, { style, size: 10.5, bold: true, force: close });
      if (spot) label(words, told, [[left, spot[1] + 12 * called.length]], { style: style + " sub", size: 10 });
    }
  };
  const MARKS = {
    kill: ["kill", "killed"], "power-loss": ["power", "power loss"], restart: ["up", "restart"], crash: ["crash", "crash:"],
    exit: ["exit", "exited"], pause: ["pause", "paused"], resume: ["play", "resumed"],
  };
  const paintMarks = () => {
    for (let i = 0; i < run.count; i++) {
      const lane = run.lane[i], kind = run.kind[i];
      if (!Object.hasOwn(MARKS, kind) || lane < 0 || !there(lane) || view.folded[i] || (view.alone && !inPast(i))) continue;
      const power = kind === "kill" && run.field(i, "mode") === "power", [shape, word] = MARKS[power ? "power-loss" : kind];
      const told = `${word} ${run.field(i, kind === "restart" ? "incarnation" : kind === "crash" ? "error" : "")}`.trim();
      const loud = ["kill", "power", "crash"].includes(shape), y = Y[i] + (i === run.violation ? -6 : 3.5);
      mark(words, shape, x(lane), Y[i], faded(i).trim());
      const options = { style: `mark ${shape}${faded(i)}`, bold: loud, force: loud && close, most: 240 };
      label(words, told, [0, 9, -9].flatMap((down) => [[x(lane) + 11, y + down], [x(lane) - 11, y + down, "end"]]), options);
    }
  };

  // ---- evidence: numbers at what the verdict speaks of, the same as in its words ----------------------------------------------
  const begins = new Map(run.spans.filter(([, kind, , , told]) => WIDTH[kind] && told).map(([, , from, , told]) => [from, told]));
  const paintEvidence = () => {
    if (run.violation >= 0) put(shapes, "path", { class: "violation", d: `M${axis} ${fix(Y[run.violation])}H${fix(view.right)}` });
    run.evidence.forEach(([place, operation], number) => {
      const at = run.lane[place] < 0 ? axis + 9 : x(run.lane[place]), last = place === run.violation ? " last" : "";
      if (!Number.isFinite(at)) return;
      const alone = operation < 0, y = Y[place] - (alone ? 12 : 0);
      if (alone) put(words, "circle", { class: "ring" + last, cx: at, cy: Y[place], r: 10 });
      const group = put(words, "g", { class: "number" + last, transform: `translate(${fix(at - 17)} ${fix(y)})` });
      put(group, "circle", { r: 7.5 });
      put(group, "text", { y: 3.5 }, String(number + 1));
      room.take(at - 25, y + 2, 17);
      if (!alone || run.kind[place] !== "observe") return;
      const spots = [[at + 14, Y[place] + (last ? -5 : 3.5)], [at + 14, Y[place] - 9]];
      label(words, begins.get(place) ?? run.summary(place), spots, { style: `told${last}`, bold: true, most: 230, force: true });
    });
  };

  paintAxis();
  paintFolds();
  paintHalo();
  run.cuts.forEach(paintCut);
  paintLanes();
  paintOperations();
  paintEvidence();
  nameOperations(true);
  paintFaults();
  run.cuts.forEach(nameCut);
  paintMarks();
  nameOperations(false);
  paintRoles();
  paintHalts();
};
