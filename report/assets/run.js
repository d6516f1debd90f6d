// The run as the page's table tells it (`diagram.py` says how): events as parallel arrays, what each of them says,
// which messages flew where, and what came before what.
"use strict";
const readRun = (table) => {
  const count = table.count, column = (fill) => new Int32Array(count).fill(fill);
  const lanes = table.lanes.map(([name, client], number) => ({ name, client, number }));
  const byName = new Map(lanes.map((each) => [each.name, each.number]));
  const tabs = table.texts.map((text) => text.split("\t").length - 1);
  const shapes = table.shapes.map(([kind, lane, caused, sends, keys, ...texts]) => ({
    kind: table.kinds[kind], lane, caused, sends, keys: table.keys[keys], texts,
    numbers: texts.reduce((sum, text) => sum + (text < 0 ? 0 : tabs[text]), 0),
  }));

  const time = new Float64Array(count), y = new Float64Array(count), kind = new Array(count), shape = new Array(count);
  const lane = column(-1), cause = column(-1), before = column(-1), index = column(0), numbers = column(0), counter = column(0);
  const type = column(-1), routine = new Uint8Array(count);
  {
    const flat = table.events, latest = new Map(), counters = new Map();
    let at = 0, clock = 0, depth = 0, shift = 0, next = 0;
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
      tally(i, counters);
      if (next < table.indices.length && table.indices[next][0] === i) shift = table.indices[next++][1];
      index[i] = i + shift;
    }
  }
  function isFlight(i) { return cause[i] >= 0 && (kind[i] === "deliver" || kind[i] === "drop"); }
  function tally(i, counters) {                  // a counter that goes on by one is not written down
    const j = shape[i].keys.indexOf("boundary");
    if (j < 0) return;
    const key = kind[i] + " " + lane[i], written = shape[i].texts[j] >= 0;
    counter[i] = written ? +said(i, j) || 0 : (counters.get(key) ?? 0) + 1;
    counters.set(key, counter[i]);
  }

  // ---- what events say --------------------------------------------------------------------------------------------------
  function said(i, j) {
    const texts = shape[i].texts;
    if (texts[j] < 0) return String(counter[i]);
    let at = numbers[i];
    for (let k = 0; k < j; k++) at += texts[k] < 0 ? 0 : tabs[texts[k]];
    return table.texts[texts[j]].replace(/\t/g, () => table.events[at++]);
  }
  const fields = (i) => shape[i].keys.map((key, j) => [key, said(i, j)]);
  const field = (i, key) => { const j = shape[i].keys.indexOf(key); return j < 0 ? "" : said(i, j); };
  const host = (i) => (lane[i] < 0 ? "" : lanes[lane[i]].name);
  const stamp = (t) => (t / 1e6).toFixed(6).replace(/0{1,3}$/, "") + " s";
  const body = (i) => {                           // what a send said, as a call: issue(7), AppendReply(term=1)
    const name = table.types[type[i]], text = field(i, "body");
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
      if (quote) { if (c === "\\") k++; else if (c === quote) quote = ""; }
      else if (c === "'" || c === '"') quote = c;
      else if ("([{".includes(c)) depth++;
      else if (")]}".includes(c)) depth--;
      if (k >= start && (depth === 0 || (depth === 1 && c === "," && !quote))) { found.push(text.slice(start, k).trim()); start = k + 1; }
      if (depth === 0) break;
    }
    return found;
  };
  let news = null;
  const brief = (i) => {                          // a message without what the previous one of its type on this link said too
    if (!news) {
      const latest = new Map();
      news = new Map();
      for (let j = 0; j < count; j++) {
        if (kind[j] !== "send") continue;
        const link = `${type[j]} ${lane[j]} ${field(j, "to")}`, now = parts(body(j)), then = latest.get(link), name = (part) => part.split("=")[0];
        const alike = then && then.length === now.length && now.every((part, k) => part.includes("=") && name(part) === name(then[k]));
        const kept = alike ? now.filter((part, k) => part !== then[k]) : now;
        latest.set(link, now);
        news.set(j, kept.length < now.length ? `${table.types[type[j]]}(…${kept.length ? " " + kept.join(", ") : ""})` : body(j));
      }
    }
    return news.get(i);
  };
  const summary = (i) => {
    if (kind[i] === "send") return `${body(i)} to ${field(i, "to")}`;
    if (isFlight(i)) return `${body(cause[i])} from ${host(cause[i])}${kind[i] === "drop" ? ", dropped: " + (field(i, "why") || "lost") : ""}`;
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

  // ---- messages: every flight of every message, one that is still in the air at the end included ---------------------------
  const flights = [], ended = new Uint8Array(count), operationOf = new Map();
  for (let i = 0; i < count; i++) if (isFlight(i)) { flights.push({ from: cause[i], end: i, to: lane[i], copy: ended[cause[i]] }); ended[cause[i]] = 1; }
  for (let i = 0; i < count; i++) if (kind[i] === "send" && !ended[i]) flights.push({ from: i, end: -1, to: byName.get(field(i, "to")) ?? lane[i], copy: 0 });
  for (const flight of flights) if (flight.end >= 0 && kind[flight.end] === "drop") flight.to = byName.get(field(flight.from, "to")) ?? flight.to;
  flights.sort((a, b) => a.from - b.from || a.end - b.end);
  table.operations.forEach(([start, end], number) => { operationOf.set(start, number); if (end >= 0) operationOf.set(end, number); });

  // ---- happened before ----------------------------------------------------------------------------------------------------
  // 1: in the past of event i, by program order and cause; 2: a message from the past that never arrived.
  const past = (i) => {
    const seen = new Uint8Array(count), stack = [i];
    seen[i] = 1;
    while (stack.length) {
      const next = stack.pop();
      for (const earlier of [before[next], cause[next]]) if (earlier >= 0 && !seen[earlier]) { seen[earlier] = 1; stack.push(earlier); }
    }
    for (let j = 0; j < count; j++) if (kind[j] === "drop" && j < i && cause[j] >= 0 && seen[cause[j]] === 1) seen[j] = 2;
    return seen;
  };
  // A fault had a part in the past if a host that it struck did anything there afterwards, or lost a message of it.
  const bears = (strike, seen) => {
    const [place, , , struck, hosts] = strike;
    if (!struck) return false;
    if (seen[place]) return true;
    for (let j = place + 1; j < count; j++) {
      if (seen[j] && (hosts.includes(lane[j]) || (seen[j] === 2 && hosts.includes(lane[cause[j]])))) return true;
    }
    return false;
  };

  const violation = table.violation;
  const place = new Map(Array.from(index, (value, i) => [value, i]));
  return { ...table, table, count, lanes, time, y, kind, lane, cause, before, index, type, routine, flights, operationOf, violation, place,
    isFlight, fields, field, host, stamp, body, brief, summary, state, past, bears };
};
