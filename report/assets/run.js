// The run as the page's table tells it (`diagram.py` says how): events as parallel arrays, what each of them says,
// which messages flew where, and what came before what.
"use strict";
const readRun = (table) => {
  const count = table.count, column = (fill) => new Int32Array(count).fill(fill);
  const lanes = table.lanes.map(([name, client], number) => ({ name, client, number }));
  const laneOf = new Map(lanes.map((each) => [each.name, each.number]));
  const tabs = table.texts.map((text) => text.split("\t").length - 1);
  const shapes = table.shapes.map(([kind, lane, caused, sends, keys, ...texts]) => ({
    kind: table.kinds[kind], lane, caused, sends, keys: table.keys[keys], texts,
    numbers: texts.reduce((sum, text) => sum + (text < 0 ? 0 : tabs[text]), 0),
  }));

  // ---- events -------------------------------------------------------------------------------------------------------
  const time = new Float64Array(count), y = new Float64Array(count), kind = new Array(count), shape = new Array(count);
  const lane = column(-1), cause = column(-1), before = column(-1), type = column(-1), routine = new Uint8Array(count);
  const index = column(0), numbers = column(0), counter = column(0);
  const isFlight = (i) => cause[i] >= 0 && (kind[i] === "deliver" || kind[i] === "drop");
  const said = (i, j) => {                        // what event i says under its j-th key
    const texts = shape[i].texts;
    if (texts[j] < 0) return String(counter[i]);
    let at = numbers[i];
    for (let k = 0; k < j; k++) at += texts[k] < 0 ? 0 : tabs[texts[k]];
    return table.texts[texts[j]].replace(/\t/g, () => table.events[at++]);
  };
  const counters = new Map();
  const tally = (i) => {                          // a counter that goes on by one is not written down
    const j = shape[i].keys.indexOf("boundary"), key = kind[i] + " " + lane[i];
    if (j < 0) return;
    counter[i] = shape[i].texts[j] >= 0 ? +said(i, j) || 0 : (counters.get(key) ?? 0) + 1;
    counters.set(key, counter[i]);
  };
  {
    const flat = table.events, latest = new Map(), shifts = new Map(table.indices);
    let at = 0, clock = 0, depth = 0, shift = 0;
    for (let i = 0; i < count; i++) {
      time[i] = clock += flat[at++];
      y[i] = (depth += flat[at++]) / 10;
      const s = shape[i] = shapes[flat[at++]];
      kind[i] = s.kind;
      lane[i] = s.lane;
      if (s.caused) cause[i] = i - flat[at++];
      numbers[i] = at;
      at += s.numbers;
      if (s.sends >= 0) { type[i] = s.sends >> 1; routine[i] = s.sends & 1; }
      else if (isFlight(i)) { type[i] = type[cause[i]]; routine[i] = routine[cause[i]]; }
      // A drop happens to the message, not to the host it was meant for.
      if (lane[i] >= 0 && kind[i] !== "drop") { before[i] = latest.get(lane[i]) ?? -1; latest.set(lane[i], i); }
      tally(i);
      shift = shifts.get(i) ?? shift;
      index[i] = i + shift;
    }
  }
  const place = new Map(Array.from(index, (value, i) => [value, i]));

  // ---- what events say ------------------------------------------------------------------------------------------------
  const fields = (i) => shape[i].keys.map((key, j) => [key, said(i, j)]);
  const field = (i, key) => { const j = shape[i].keys.indexOf(key); return j < 0 ? "" : said(i, j); };
  const host = (i) => (lane[i] < 0 ? "" : lanes[lane[i]].name);
  const stamp = (t) => (t / 1e6).toFixed(6).replace(/0{1,3}$/, "") + " s";
  const millis = (i) => ((time[i] - time[cause[i]]) / 1e3).toFixed(3) + " ms";
  const typeName = (i) => table.types[type[i]];
  const body = (i) => {                           // what a send said, as a call: issue(7), AppendReply(term=1)
    const name = typeName(i), text = field(i, "body");
    if (text === name || text.startsWith(name + "(")) return text;
    if (text === `('${name}')`) return name;
    if (text.startsWith(`('${name}', `)) return `${name}(${text.slice(name.length + 5)}`;
    return text.startsWith(`'${name}`) ? text : `${name} ${text}`;
  };
  const parts = (text) => {                       // what a call says, cut at its own commas
    const found = [];
    let depth = 0, quote = "", start = text.indexOf("(") + 1;
    for (let k = start - 1; k >= 0 && k < text.length; k++) {
      const c = text[k];
      if (quote) { if (c === "\\") k++; else if (c === quote) quote = ""; continue; }
      if (c === "'" || c === '"') quote = c;
      else if ("([{".includes(c)) depth++;
      else if (")]}".includes(c)) depth--;
      if (k >= start && (depth === 0 || (depth === 1 && c === ","))) { found.push(text.slice(start, k).trim()); start = k + 1; }
      if (depth === 0) break;
    }
    return found;
  };
  const briefs = () => {                          // messages without what the previous one of the type on the link said too
    const latest = new Map(), found = new Map(), name = (part) => part.split("=")[0];
    for (let i = 0; i < count; i++) {
      if (kind[i] !== "send") continue;
      const link = `${type[i]} ${lane[i]} ${field(i, "to")}`, now = parts(body(i)), then = latest.get(link);
      const alike = then?.length === now.length && now.every((part, k) => part.includes("=") && name(part) === name(then[k]));
      const kept = alike ? now.filter((part, k) => part !== then[k]) : now;
      latest.set(link, now);
      found.set(i, kept.length < now.length ? `${typeName(i)}(${["…", ...kept].join(", ").replace(",", "")})` : body(i));
    }
    return found;
  };
  let news = null;
  const brief = (i) => (news ??= briefs()).get(i);
  const summary = (i) => {
    if (kind[i] === "send") return `${body(i)} to ${field(i, "to")}`;
    if (kind[i] === "drop" && isFlight(i)) return `${body(cause[i])} from ${host(cause[i])}, dropped: ${field(i, "why") || "lost"}`;
    if (isFlight(i)) return `${body(cause[i])} from ${host(cause[i])}`;
    return fields(i).map(([key, value]) => (kind[i] === "observe" ? `${key}=${value}` : value)).join("  ");
  };
  const state = (i) => {                          // what its host had observed of itself by then
    const known = new Map();
    for (let j = 0; j <= i; j++) {
      if (lane[j] !== lane[i]) continue;
      if (kind[j] === "start" || kind[j] === "restart") known.clear();
      if (kind[j] === "observe") for (const [key, value] of fields(j)) known.set(key, value);
    }
    return [...known];
  };

  // ---- every flight of every message; `end` is -1 for one that is still in the air when the run ends ---------------------
  const flights = [], landed = new Uint8Array(count);
  const meant = (i) => laneOf.get(field(i, "to")) ?? lane[i];
  for (let i = 0; i < count; i++) {
    if (!isFlight(i)) continue;
    flights.push({ from: cause[i], end: i, to: kind[i] === "drop" ? meant(cause[i]) : lane[i], copy: landed[cause[i]] });
    landed[cause[i]] = 1;
  }
  for (let i = 0; i < count; i++) if (kind[i] === "send" && !landed[i]) flights.push({ from: i, end: -1, to: meant(i), copy: 0 });
  flights.sort((a, b) => a.from - b.from || a.end - b.end);
  const flightOf = new Map(flights.filter((flight) => flight.end >= 0).map((flight) => [flight.end, flight]));

  // ---- operations and faults by the events they begin or end with -----------------------------------------------------------
  const operationOf = new Map(table.operations.flatMap(([start, end], number) => [[start, number], [end, number]]));
  operationOf.delete(-1);
  const strikeOf = new Map(table.strikes.map((strike) => [strike[0], strike]));
  const evidenceOf = new Map(table.evidence.map(([at], number) => [at, number + 1]));
  const title = (i) => {
    const flight = flightOf.get(i), operation = table.operations[operationOf.get(i)], strike = strikeOf.get(i);
    if (flight) return `${typeName(i)}  ${host(cause[i])} → ${lanes[flight.to].name}${kind[i] === "drop" ? ", dropped" : ""}`;
    if (kind[i] === "send") return `${typeName(i)}  ${host(i)} → ${field(i, "to")}`;
    if (operation) return `${host(i)} ${operation[3]}${kind[i] === "complete" ? ` → ${operation[4]}` : ""}`;
    return strike ? strike[1] : `${host(i)} ${kind[i]}`;
  };

  // ---- happened before ----------------------------------------------------------------------------------------------------
  // A fault had a part in a past if a host that it struck did anything there afterwards, or a message to or from it was lost, or if
  // the host was still down, paused or cut off in the end: silence counts as well.
  const bears = ([at, , , struck, hosts], seen, last) => {
    if (!struck || seen[at]) return struck;
    for (let i = at + 1; i < count; i++) {
      if ((seen[i] === 1 && hosts.includes(lane[i])) || (seen[i] === 2 && hosts.includes(lane[cause[i]]))) return true;
    }
    const lasting = ([from, to]) => (from === at || cause[from] === at) && to >= last;
    return table.spans.some(([, , from, to]) => lasting([from, to])) || table.cuts.some(lasting);
  };

  // 1: in the past of one of these events, by program order and cause; 2: a message from there that never arrived; 3: a fault that
  // had a part in it, and what it did.
  const past = (events) => {
    const seen = new Uint8Array(count), stack = [...events], last = Math.max(...events);
    for (const i of events) seen[i] = 1;
    while (stack.length) {
      const next = stack.pop();
      for (const earlier of [before[next], cause[next]]) {
        if (earlier >= 0 && !seen[earlier]) { seen[earlier] = 1; stack.push(earlier); }
      }
    }
    for (let i = 0; i < last; i++) if (kind[i] === "drop" && cause[i] >= 0 && seen[cause[i]] === 1) seen[i] = 2;
    const bearing = new Set(table.strikes.filter((strike) => strike[0] < last && bears(strike, seen, last)).map(([at]) => at));
    for (let i = 0; i < last; i++) if (!seen[i] && (bearing.has(i) || bearing.has(cause[i]))) seen[i] = 3;
    return seen;
  };
  // A verdict rests on everything that it speaks of.
  const pastOf = (i) => past(i === table.violation ? [i, ...evidenceOf.keys()] : [i]);
  return {
    ...table, table, lanes, time, y, kind, lane, cause, before, index, type, routine, place, flights, flightOf, operationOf, strikeOf,
    evidenceOf, isFlight, fields, field, host, stamp, millis, typeName, body, brief, summary, state, title, pastOf,
  };
};
