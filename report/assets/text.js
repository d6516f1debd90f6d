// Elements, and texts that know how wide they are and where there is room for them.
const fix = (value) => Math.round(value * 10) / 10;
const put = (parent, tag, attributes, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, typeof value === "number" ? fix(value) : value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
};
const mark = (parent, id, x, y, style = "") => put(parent, "use", { href: "#" + id, x, y, class: style });

const pen = document.createElement("canvas").getContext("2d"), widths = new Map();
const wide = (text, size, bold) => {
  const key = (bold ? "b" : "") + size + text;
  if (!widths.has(key)) {
    pen.font = `${bold ? "bold " : ""}${size}px ${getComputedStyle(document.body).fontFamily}`;
    widths.set(key, pen.measureText(text).width);
  }
  return widths.get(key);
};
const fit = (text, most, size, bold) => {         // as much of a text as `most` pixels hold
  if (wide(text, size, bold) <= most) return text;
  let low = 0, high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (wide(text.slice(0, middle) + "…", size, bold) <= most) low = middle; else high = middle - 1;
  }
  return low ? text.slice(0, low).trimEnd() + "…" : "";
};
const wrap = (text, most, size, lines, bold) => { // in at most so many lines, broken at spaces
  const out = [];
  for (let rest = text; rest && out.length < lines;) {
    let part = fit(rest, most, size, bold);
    if (part !== rest && out.length < lines - 1) {
      const space = rest.slice(0, part.length).lastIndexOf(" ");
      part = rest.slice(0, space > 0 ? space : Math.max(part.length - 1, 1));
    }
    out.push(part);
    rest = part.endsWith("…") ? "" : rest.slice(part.length).trimStart();
  }
  return out;
};

// Which stretches of which rows of a picture are taken by text, and where lines run that texts should keep clear of.
const makeRoom = () => {
  const rows = new Map(), ROW = 3, strips = new Map(), STRIP = 16;
  const span = (y) => {
    const found = [];
    for (let row = Math.floor((y - 7.5) / ROW); row <= Math.floor((y + 1) / ROW); row++) found.push(row);
    return found;
  };
  const take = (x, y, width) => {
    for (const row of span(y)) { if (!rows.has(row)) rows.set(row, []); rows.get(row).push([x, x + width]); }
  };
  const free = (x, y, width) => span(y).every((row) => !rows.get(row)?.some(([left, right]) => x < right && left < x + width));
  const line = (x1, y1, x2, y2, whose) => {
    const [left, right] = x1 < x2 ? [x1, x2] : [x2, x1], slope = x1 === x2 ? 0 : (y2 - y1) / (x2 - x1);
    const known = { x: x1, y: y1, left, right, slope, whose };
    for (let strip = Math.floor(Math.min(y1, y2) / STRIP); strip <= Math.floor(Math.max(y1, y2) / STRIP); strip++) {
      if (!strips.has(strip)) strips.set(strip, []);
      strips.get(strip).push(known);
    }
  };
  const crossed = (x, y, width, own) => {         // by a line through the letters, other than its own
    const hits = ({ x: x1, y: y1, left, right, slope, whose }) => {
      const from = Math.max(left, x), to = Math.min(right, x + width);
      if (whose === own || from >= to) return false;
      const [a, b] = [y1 + slope * (from - x1), y1 + slope * (to - x1)];
      return Math.max(a, b) > y - 8.5 && Math.min(a, b) < y + 1.5;
    };
    for (let strip = Math.floor((y - 8.5) / STRIP); strip <= Math.floor((y + 1.5) / STRIP); strip++) {
      if (strips.get(strip)?.some(hits)) return true;
    }
    return false;
  };
  // Lines of text at the first of some spots, [x, y, anchor], that is free, and clear of lines but those of `own`; failing that
  // at one that is free, unless `clear`; `force` puts them at the first anyway.  Returns the spot.
  const label = (parent, text, spots, options = {}) => {
    const { style = "", size = 10, bold = false, most = 1e4, force = false, own, clear = false } = options;
    const lines = [text].flat().map((line) => fit(line, most, size, bold)).filter(Boolean), row = size + 1.5;
    const wides = lines.map((line) => wide(line, size, bold) + 2);
    const left = ([x, , anchor], k) => x - (anchor === "end" ? wides[k] : anchor === "middle" ? wides[k] / 2 : 0);
    const fits = (spot) => lines.every((_, k) => free(left(spot, k), spot[1] + row * k, wides[k]));
    const open = spots.filter(fits), bare = ([x, y, a]) => !lines.some((_, k) => crossed(left([x, y, a], k), y + row * k, wides[k], own));
    const spot = open.find(bare) ?? (clear ? undefined : open[0]) ?? (force ? spots[0] : undefined);
    if (!lines.length || !spot) return undefined;
    lines.forEach((line, k) => {
      take(left(spot, k), spot[1] + row * k, wides[k]);
      put(parent, "text", { class: style, x: spot[0], y: spot[1] + row * k, ...(spot[2] && { "text-anchor": spot[2] }) }, line);
    });
    return spot;
  };
  return { take, line, label };
};
