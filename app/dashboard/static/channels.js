// Builds the stacked charts of one machine: a strip of events, one row a channel, the risk below. Draws nothing.
import { axis, frame, rounded, wallClock } from "./plot.js";

const ROW_PX = 120;
const FIRST_ROW_PX = 170;
const EVENTS_PX = 26;
const GAP_PX = 14;
const LABEL_PX = 22; // on a phone the labels stand between the rows
const TIMES = [
  { dtickrange: [null, 43_200_000], value: "%H:%M\n%-d %b" },
  { dtickrange: [43_200_000, "M1"], value: "%-d %b" },
  { dtickrange: ["M1", null], value: "%b %Y" },
];
const SYMBOLS = { failure: "x", service: "square", fault_code: "triangle-down-open", decommission: "circle-x-open" };

export function stack(channels, facts, span, colour, small) {
  const rows = order(channels, facts).filter((row) => row.t.length);
  const gap = small ? LABEL_PX : GAP_PX;
  const heights = [EVENTS_PX, ...rows.map((_, i) => (i ? ROW_PX : FIRST_ROW_PX))];
  const height = heights.reduce((sum, px) => sum + px + gap, 0) + 40;
  const layout = {
    ...frame(colour), height: Math.max(height, 200), hovermode: "x", shapes: [], annotations: [],
    margin: { l: small ? 46 : 124, r: 12, t: 4, b: 40 },
    xaxis: { ...axis(colour), showgrid: false, type: "date", range: [span.from, span.until].map(wallClock), anchor: "free", position: 0, tickformatstops: TIMES, nticks: small ? 5 : 10 },
  };
  const traces = [];
  let top = 0;
  const total = heights.reduce((sum, px) => sum + px + gap, 0);
  heights.forEach((px, i) => {
    const name = i ? `yaxis${i + 1}` : "yaxis";
    layout[name] = { ...axis(colour), domain: [Math.max(0, 1 - (top + px) / total), 1 - top / total], fixedrange: true, nticks: 4 };
    top += px + gap;
    if (i) addRow(rows[i - 1], `y${i + 1}`, layout, layout[name], traces, colour, small);
  });
  addEvents(facts.events, span, layout, traces, colour, small);
  return { traces, layout, rows: rows.length };
}

/** Vibration first, then temperature, current, the rest by name; the risk last. A counter that only rises is no chart. */
function order(channels, facts) {
  const first = ["vibration_mm_s", "temperature_c", "current_a"];
  const names = Object.keys(channels).filter((name) => name !== "runtime_hours");
  names.sort((a, b) => rank(a, first) - rank(b, first) || a.localeCompare(b));
  const rows = names.map((name) => ({
    ...channels[name], t: channels[name].t.map((t) => new Date(t).getTime()),
    name: facts.channels[name]?.name ?? name, unit: facts.channels[name]?.unit ?? "",
    normal: facts.channels[name]?.normal ?? null, zones: name === "vibration_mm_s" ? facts.zones : null,
  }));
  const { t, probability } = facts.history;
  if (t.length > 1) rows.push({ t: t.map((each) => new Date(each).getTime()), mean: probability.map((p) => (p === null ? null : p * 100)), name: `P(fail in ${facts.horizon})`, unit: "%", normal: null, zones: null, floor: 0 });
  return rows;
}

const rank = (name, first) => (first.includes(name) ? first.indexOf(name) : first.length);

function addRow(row, y, layout, axisOfRow, traces, colour, small) {
  const { x, gapped } = withGaps(row.t.map(wallClock));
  if (row.min) traces.push({ ...outline(x, gapped(row.min), gapped(row.max)), xaxis: "x", yaxis: y, mode: "lines", line: { width: 0 }, fill: "toself", fillcolor: colour("band"), hoverinfo: "skip" });
  const alone = row.t.length < 3;
  traces.push({
    x, y: gapped(row.mean).map(rounded), xaxis: "x", yaxis: y, mode: alone ? "markers" : "lines", connectgaps: false,
    line: { color: colour("trace"), width: 1.4 }, marker: { color: colour("trace"), size: 6 }, hovertemplate: `%{y} ${row.unit}<extra>${escape(row.name)}</extra>`,
  });
  const range = extent(row);
  axisOfRow.range = range;
  if (row.zones) addZones(row.zones, y, range, layout, colour);
  if (row.normal !== null) layout.shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, yref: y, y0: row.normal, y1: row.normal, line: { color: colour("faint"), width: 1.2, dash: "dash" } });
  const [low, high] = axisOfRow.domain;
  layout.annotations.push(small
    ? { xref: "paper", yref: "paper", x: 0, y: high, text: `${escape(row.name)} ${escape(row.unit)}`, showarrow: false, xanchor: "left", yanchor: "bottom", font: { color: colour("ink"), size: 12 } }
    : { xref: "paper", yref: "paper", x: 0, y: (low + high) / 2, xshift: -118, text: `${wrap(escape(row.name))}<br>${escape(row.unit)}`, align: "left", showarrow: false, xanchor: "left", yanchor: "middle", font: { color: colour("ink"), size: 12 } });
}

const wrap = (words) => words.replace(/^(.{6,11}?) /, "$1<br>");

/** Plotly reads a little HTML in labels; names come from outside. */
const escape = (words) => words.replace(/[<>&]/g, (c) => ({ "<": "&lt;", ">": "&gt;", "&": "&amp;" })[c]);

/** A hole of more than three usual steps stays a hole. */
function withGaps(t) {
  const steps = t.slice(1).map((each, i) => each - t[i]).sort((a, b) => a - b);
  const usual = steps[Math.floor(steps.length / 2)] ?? Infinity;
  const breaks = new Set();
  for (let i = 1; i < t.length; i += 1) if (t[i] - t[i - 1] > 3 * usual) breaks.add(i);
  const spread = (values, filler) => values.flatMap((value, i) => (breaks.has(i) ? [filler(i), value] : [value]));
  return { x: spread(t, (i) => t[i - 1] + 1), gapped: (values) => spread(values, () => null) };
}

/** Around each stretch without a hole: there along the highest values, back along the lowest. */
function outline(x, low, high) {
  const around = { x: [], y: [] };
  for (let start = 0, i = 0; i <= x.length; i += 1) {
    if (i < x.length && high[i] !== null && low[i] !== null) continue;
    around.x.push(...x.slice(start, i), ...x.slice(start, i).reverse(), null);
    around.y.push(...high.slice(start, i), ...low.slice(start, i).reverse(), null);
    start = i + 1;
  }
  return around;
}

function extent(row) {
  const all = [...(row.min ?? row.mean), ...(row.max ?? row.mean)].filter((value) => value !== null);
  if (row.normal !== null) all.push(row.normal);
  let low = Math.min(...all);
  let high = Math.max(...all);
  if (row.zones) { low = 0; high = Math.max(high * 1.08, row.zones.bc * 1.25); if (high > row.zones.bc * 1.25) high = Math.max(high, row.zones.cd * 1.2); return [low, high]; }
  if (row.floor === 0) return [0, Math.max(10, high * 1.1)];
  // A wiggle smaller than a twentieth of the level is drawn as one.
  const pad = Math.max((high - low) * 0.08, Math.abs(high + low) * 0.0125, 1e-6);
  return [low - pad, high + pad];
}

function addZones(zones, y, [, high], layout, colour) {
  const bands = [["B", zones.ab, zones.bc, "zone-b"], ["C", zones.bc, zones.cd, "zone-c"], ["D", zones.cd, Infinity, "zone-d"]];
  for (const [letter, from, to, name] of bands) {
    if (from >= high) continue;
    layout.shapes.push({ type: "rect", layer: "below", xref: "paper", x0: 0, x1: 1, yref: y, y0: from, y1: Math.min(to, high), line: { width: 0 }, fillcolor: colour(name) });
    layout.annotations.push({ xref: "paper", x: 1, yref: y, y: from, text: letter, showarrow: false, xanchor: "right", yanchor: "bottom", font: { color: colour("soft"), size: 11 } });
  }
}

function addEvents(events, span, layout, traces, colour, small) {
  const shown = events.filter((event) => { const t = new Date(event.at).getTime(); return t >= span.from && t <= span.until; });
  layout.yaxis = { ...layout.yaxis, range: [0, 1], showticklabels: false, showgrid: false, showline: false, ticks: "" };
  const x = shown.map((event) => wallClock(new Date(event.at).getTime()));
  traces.push({
    x, y: x.map(() => 0.5), xaxis: "x", yaxis: "y", mode: "markers", hovertemplate: "%{text}<extra></extra>", text: shown.map((event) => escape(event.words)),
    marker: { size: 10, color: shown.map((event) => colour(event.kind === "failure" ? "red" : "trace")), symbol: shown.map((event) => SYMBOLS[event.kind] ?? "circle-open") },
  });
  for (const [i, event] of shown.entries()) {
    if (event.kind === "fault_code" && shown.length > 30) continue;
    layout.shapes.push({ type: "line", layer: "below", x0: x[i], x1: x[i], yref: "paper", y0: 0, y1: 1, line: { color: colour(event.kind === "failure" ? "red" : "faint"), width: 1 } });
  }
  layout.annotations.push({ xref: "paper", yref: "y", x: 0, y: 0.5, text: shown.length ? "events" : "no events", showarrow: false, xanchor: small ? "left" : "right", xshift: small ? -40 : -4, font: { color: colour("soft"), size: 11 } });
}
