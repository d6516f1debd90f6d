// The history as arrays, and arithmetic on them: lanes, moments of effect, what is in sight, what is pointed at.  No element of a
// page is touched here, so that tests can run it anywhere.
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// The number of entries of a sorted array that are at most (or, with `strict`, less than) a value.
const rank = (sorted, value, strict = false, from = 0, to = sorted.length) => {
  while (from < to) {
    const middle = (from + to) >> 1;
    if (strict ? sorted[middle] < value : sorted[middle] <= value) from = middle + 1; else to = middle;
  }
  return from;
};

const readHistory = (table) => {
  const COLUMNS = 10, flat = table.columns, count = flat.length / COLUMNS;
  const ints = () => new Int32Array(count), doubles = () => new Float64Array(count);
  const process = ints(), call = ints(), result = ints(), outcome = ints(), part = ints(), id = doubles();
  const invoked = doubles(), completed = doubles(), began = doubles(), ended = doubles(), gave = doubles();
  for (let i = 0, at = 0, event = 0, clock = 0, identity = 0; i < count; i++, at += COLUMNS) {
    [process[i], call[i], result[i], outcome[i], part[i]] = flat.slice(at, at + 5);
    invoked[i] = event += flat[at + 5];
    completed[i] = flat[at + 6] < 0 ? Infinity : event + flat[at + 6];
    began[i] = clock += flat[at + 7];
    const end = flat[at + 8] < 0 ? Infinity : clock + flat[at + 8];
    ended[i] = completed[i] === Infinity ? Infinity : end;
    gave[i] = completed[i] === Infinity ? end : Infinity;       // when the client gave up
    id[i] = identity += flat[at + 9];
  }
  const truly = { from: began, to: ended, gave, end: table.ended || 1 };
  const axes = { time: truly, even: null };
  // Events at even distances: the rank of each among the calls and returns of the operations that are shown.
  const evenOut = (shown) => {
    const known = [];
    for (const i of shown) { known.push(invoked[i]); if (completed[i] < Infinity) known.push(completed[i]); }
    const events = Float64Array.from(known).sort(), step = (event) => (event === Infinity ? Infinity : rank(events, event, true) + 0.5);
    axes.even = { from: Float64Array.from(invoked, step), to: Float64Array.from(completed, step), end: events.length + 0.5, events };
    axes.even.gave = Float64Array.from(gave, (time, i) => (time === Infinity ? Infinity : axes.even.from[i] + 1));
    for (const way of orders.flat()) delete way.points.even;
    // A band has moments of time only; at even distances it begins and ends between the events around it.
    const times = Float64Array.from(shown.flatMap((i) => (ended[i] < Infinity ? [began[i], ended[i]] : [began[i]]))).sort();
    for (const band of bands) band.even = [rank(times, band.time[0], true), band.time[1] >= truly.end ? axes.even.end : rank(times, band.time[1])];
  };
  const bands = table.bands.map(([from, to, what]) => ({ what, time: [from, to < 0 ? truly.end : to] }));

  const orders = table.orders.map((ways) => ways.map(({ operations, states, stuck, reasons, more }) => {
    let number = 0, state = table.initial;
    const list = Int32Array.from(operations, (difference) => (number += difference));
    const after = Int32Array.from(states, (text) => (state = text < 0 ? state : text));
    const place = new Map();
    list.forEach((operation, position) => place.set(operation, position));
    return { list, after, place, stuck, more, reasons: new Map(reasons), points: {} };
  }));
  // When each operation of an order takes effect: between the earliest and the latest moment that the order leaves it, so that moments
  // never go backwards and each lies in its bar.
  const pointsOf = (order, name) => {
    if (order.points[name]) return order.points[name];
    const axis = axes[name], { list, stuck } = order, size = list.length, points = new Float64Array(size), last = new Float64Array(size);
    for (let k = size - 1, until = stuck < 0 ? axis.end : axis.to[stuck]; k >= 0; k--) last[k] = until = Math.min(until, axis.to[list[k]]);
    for (let k = 0, since = 0; k < size; k++) {
      since = Math.max(since, axis.from[list[k]]);
      points[k] = (since + Math.max(last[k], since)) / 2;
    }
    return (order.points[name] = points);
  };
  const text = (number) => (number < 0 ? "" : table.texts[number]);
  const title = (i) => `${table.processes[process[i]]} ${text(call[i])}${result[i] < 0 ? "" : ` → ${text(result[i])}`}`;

  // Lanes of what is shown: the operations of each, in the order of their calls, which is that of their numbers.
  const laneOf = ints();
  table.lanes.forEach((processes, lane) => processes.forEach((name) => { laneOf[name] = lane; }));
  const lanesOf = (wanted) => {
    const lanes = table.lanes.map((names) => ({ names: names.map((name) => table.processes[name]), list: [] }));
    for (let i = 0; i < count; i++) if (wanted(i)) lanes[laneOf[process[i]]].list.push(i);
    return lanes.filter((lane) => lane.list.length).map((lane, row) => ({ ...lane, row, open: lane.list.find((i) => completed[i] === Infinity) }));
  };
  return {
    ...table, count, process, call, result, outcome, part, id, invoked, completed, began, ended, axes, bands, orders, pointsOf,
    text, title, lanesOf, laneOf, evenOut,
  };
};

// The part of a lane that is in sight: positions in its list, from the first that has not ended before `left` to the last that has
// begun by `right`.  In one lane operations follow each other, but those that never end may be followed by others.
const inSight = (list, axis, left, right) => {
  const begun = (x) => {
    let from = 0, to = list.length;
    while (from < to) { const middle = (from + to) >> 1; if (axis.from[list[middle]] <= x) from = middle + 1; else to = middle; }
    return from;
  };
  let first = Math.max(begun(left) - 1, 0);
  if (first < list.length && axis.to[list[first]] < left) first++;
  return [first, begun(right)];
};

// What a horizontal scale of `scale` pixels per unit, with `left` at the left edge, becomes when it is changed around a pixel that stays.
const zoomed = ({ left, scale }, factor, pixel, limits) => {
  const next = clamp(scale * factor, limits.least, limits.most);
  return { scale: next, left: left + pixel / scale - pixel / next };
};

// Never so far to the side that more than a tenth of the window is empty.
const held = ({ left, scale }, end, width) => {
  const room = width / scale, margin = 0.1 * room;
  return { scale, left: room >= end ? clamp(left, end - room, 0) : clamp(left, -margin, end + margin - room) };
};

// Distances between ticks: 1, 2 or 5 times a power of ten, at least so many pixels.
const tickStep = (scale, pixels, least) => {
  const wanted = Math.max(pixels / scale, least), power = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= wanted * 0.999);
};
const tickText = (value, step) => (value / 1e6).toFixed(clamp(Math.ceil(6 - Math.log10(step) - 1e-9), 0, 6));

// The operation at a moment of a lane, `slack` units off at most; of those that never end the one that began last.
const operationAt = (list, axis, x, slack) => {
  const [, end] = inSight(list, axis, x, x + slack);
  let best = -1, least = Infinity;
  for (let k = end - 1; k >= Math.max(0, end - 40); k--) {
    const i = list[k], away = x < axis.from[i] ? axis.from[i] - x : Math.max(x - axis.to[i], 0);
    if (away <= slack && away < least) { best = i; least = away; }
    if (least === 0) break;
  }
  return best;
};
