// What is said of one event: in the panel, and in a few words next to the pointer.
const makeDetails = (run, panel, tip, follow) => {
  const { kind, lane, cause } = run, idle = [...panel.childNodes];
  const node = (tag, text, style) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (style) element.className = style;
    return element;
  };
  const link = (i, text) => {
    const button = node("button", text ?? `${kind[i]} ${run.host(i)} ${run.stamp(run.time[i])}`, "link");
    button.onclick = () => follow(i);
    return button;
  };
  const table = (pairs) => {
    const list = node("dl");
    for (const [key, value] of pairs) list.append(node("dt", key), node("dd", value));
    return list;
  };
  const facts = (i) => {
    if (run.isFlight(i)) return [["body", run.field(cause[i], "body")], ...run.fields(i), ["in flight", run.millis(i)]];
    if (kind[i] !== "complete" || cause[i] < 0) return run.fields(i);
    const called = run.fields(cause[i]).filter(([key]) => key === "function" || key === "argument");
    return [...called, ["took", run.millis(i)], ...run.fields(i)];
  };
  const extent = (i, past) => {                   // of a causal past, in words
    const lanes = new Set(past.flatMap((each, j) => (each === 1 && lane[j] >= 0 ? [lane[j]] : [])));
    const events = past.filter((each) => each === 1).length - 1, lost = past.filter((each) => each === 2).length;
    const whose = i === run.violation && run.evidence.length > 1 ? "The causal past of what the verdict speaks of" : "Its causal past";
    const missing = lost ? `, and ${lost} message${lost > 1 ? "s" : ""} lost on the way` : "";
    return `${whose} is in full colour: ${events} events on ${lanes.size} hosts${missing}. Esc: everything.`;
  };
  const describe = (i, past) => {
    if (i < 0) { panel.replaceChildren(...idle); return; }
    const when = `${kind[i]}, ${run.stamp(run.time[i])}, event ${run.index[i]}`;
    const links = cause[i] >= 0 ? [["caused by ", cause[i]]] : [];
    for (let j = i + 1; j < run.count && links.length < 8; j++) if (cause[j] === i) links.push(["led to ", j]);
    const lines = links.map(([words, j]) => { const line = node("p", words, "links"); line.append(link(j)); return line; });
    const known = lane[i] >= 0 ? run.state(i) : [];
    panel.replaceChildren(
      node("p", run.title(i), "what"), node("p", when, "when"),
      ...(past ? [node("p", extent(i, [...past]), "hint")] : []),
      table(facts(i)), ...lines,
      ...(known.length ? [node("h2", `${run.host(i)} at that moment`), table(known)] : []),
    );
  };
  const whisper = (i, event, room) => {           // next to the pointer, within the rectangle of the stage
    tip.hidden = i < 0;
    if (i < 0) return;
    const text = run.operationOf.has(i) ? "" : run.summary(i), flown = run.isFlight(i) ? `, ${run.millis(i)} in flight` : "";
    const told = text.length > 220 ? text.slice(0, 219) + "…" : text;
    tip.replaceChildren(node("b", run.title(i)), node("p", told), node("small", run.stamp(run.time[i]) + flown));
    const left = event.clientX - room.left + 14, top = event.clientY - room.top + 18;
    tip.style.left = `${Math.max(Math.min(left, room.width - tip.offsetWidth - 4), 4)}px`;
    tip.style.top = `${top + tip.offsetHeight > room.height ? top - tip.offsetHeight - 30 : top}px`;
  };
  return { describe, whisper, link };
};
