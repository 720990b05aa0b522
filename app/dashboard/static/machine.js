// The machine page's charts: channels over time with limits and events, and the risk curve. ?until= looks back.
import { onChange } from "./live.js";
import { axis, colours, draw, frame, narrow, onColourChange } from "./plot.js";
import { stack } from "./channels.js";
import { day } from "./times.js";

const DAY_MS = 86_400_000;
const MOST_POINTS = 600; // more than a screen has pixels to show per channel
const REFRESH_MS = 2_000;

const place = document.getElementById("channels");
const state = document.getElementById("chart-state");
const key = decodeURIComponent(location.pathname.split("/").pop());
const lookedBackTo = Date.parse(new URLSearchParams(location.search).get("until") ?? "");
const past = lookedBackTo < Date.now();
const ending = () => (past ? lookedBackTo : Date.now());
let days = 30;
let facts = JSON.parse(document.getElementById("chart-data").textContent);
let readings = { channels: {} };
let asked = 0;

async function load() {
  const turn = ++asked;
  const until = ending();
  const query = new URLSearchParams({ from: new Date(until - days * DAY_MS).toISOString(), to: new Date(until).toISOString(), max_points: MOST_POINTS });
  try {
    const answer = await fetch(`/api/v1/machines/${encodeURIComponent(key)}/readings?${query}`, { headers: { Accept: "application/json" } });
    const body = await answer.json();
    if (turn !== asked) return;
    if (!answer.ok) throw new Error(body.detail);
    readings = body;
    show(until);
  } catch (error) {
    state.textContent = `charts could not be loaded: ${error.message}`;
  }
}

function show(until = ending()) {
  const from = until - days * DAY_MS;
  const { traces, layout, rows } = stack(readings.channels, facts, { from, until }, colours(), narrow());
  const shown = past ? `up to ${day(new Date(until))}` : "";
  state.textContent = rows ? shown : "no readings in this time";
  layout.uirevision = String(days);
  place.style.height = `${layout.height}px`;
  draw(place, traces, layout);
}

function showCurve() {
  const curve = document.getElementById("curve");
  if (!curve || !facts.curve) return;
  const colour = colours();
  const { days: x, probability, low, high, service_day: due } = facts.curve;
  const share = (values) => values.map((value) => value * 100);
  const line = { alarm: "red", warning: "amber" }[facts.status] ?? "trace";
  const traces = low ? [
    { x, y: share(low), mode: "lines", line: { width: 0 }, hoverinfo: "skip" },
    { x, y: share(high), mode: "lines", line: { width: 0 }, fill: "tonexty", fillcolor: colour("band"), hoverinfo: "skip" },
  ] : [];
  traces.push({ x, y: share(probability), mode: "lines+markers", line: { color: colour(line), width: 2 }, marker: { size: 5 }, hovertemplate: "%{y:.0f} % within %{x:.3~g} days<extra></extra>" });
  const mark = due === null ? {} : {
    shapes: [{ type: "line", x0: due, x1: due, y0: 0, y1: 1, yref: "paper", line: { color: colour("link"), width: 1.5, dash: "dash" } }],
    annotations: [{ x: due, y: 1, yref: "paper", text: "proposed service", showarrow: false, xanchor: due > x.at(-1) * 0.6 ? "right" : "left", yanchor: "top", xshift: due > x.at(-1) * 0.6 ? -4 : 4, font: { color: colour("link") } }],
  };
  draw(curve, traces, {
    ...frame(colour), ...mark, height: 210, dragmode: false, margin: { l: 48, r: 24, t: 8, b: 30 },
    xaxis: { ...axis(colour), showgrid: false, range: [0, x.at(-1)], tickvals: x.slice(1), ticktext: ticks(x), fixedrange: true, tickangle: 0 },
    yaxis: { ...axis(colour), range: [0, 100], tickvals: [0, 25, 50, 75, 100], ticktext: ["0 %", "25 %", "50 %", "75 %", "100 %"], fixedrange: true },
  });
}

/** Labels for horizons; those closer than a label is wide are left out. */
function ticks(x) {
  let last = -Infinity;
  return x.slice(1).map((day) => {
    if (day - last < x.at(-1) * 0.09) return "";
    last = day;
    return day < 1 ? `${Math.round(day * 24)} h` : `${Number(day.toFixed(1))} d`;
  });
}

for (const button of document.querySelectorAll("[data-days]")) {
  button.addEventListener("click", () => {
    days = Number(button.dataset.days);
    for (const other of document.querySelectorAll("[data-days]")) other.setAttribute("aria-pressed", String(other === button));
    load();
  });
}

let pending = null;
onChange((change) => {
  if (change.machine !== null && change.machine !== key) return;
  pending ??= setTimeout(() => { pending = null; load(); }, REFRESH_MS);
});
document.addEventListener("wearwatch:refreshed", ({ detail }) => {
  facts = JSON.parse(detail.getElementById("chart-data").textContent);
  show();
  showCurve();
});
onColourChange(() => { show(); showCurve(); });
document.getElementById("to-now").hidden = !past;
showCurve();
load();
