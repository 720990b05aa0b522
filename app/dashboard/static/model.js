// The model page's curves and figures at one horizon; the others stay faint, to compare with.
import { axis, colours, draw, frame, onColourChange, rounded } from "./plot.js";

const { horizons, marked, currency } = JSON.parse(document.getElementById("curves")?.textContent ?? '{"horizons":[],"marked":null}');
const HOURS_READ_AS_HOURS = 96;
const SHARE = { tickformat: ".0%" };
const FIXED = { fixedrange: true };
let chosen = marked;

const drawers = {
  reliability: ({ reliability }, colour) => ({
    x: "predicted", y: "observed",
    traces: [
      straight([0, 1], [0, 1], colour),
      { x: reliability.predicted, y: reliability.observed, text: reliability.share.map(percent), mode: "lines+markers", line: strong(colour), marker: { size: reliability.share.map((share) => 5 + 11 * Math.sqrt(share)) }, hovertemplate: "predicted %{x:.0%}, observed %{y:.0%}<br>%{text} of the moments<extra></extra>" },
    ],
    xaxis: { range: [-0.02, 1.03], ...SHARE }, yaxis: { range: [-0.02, 1.03], ...SHARE },
  }),
  precision_recall: ({ precision_recall: curve }, colour) => ({
    x: "recall", y: "precision",
    traces: [
      ...(curve.prevalence === null ? [] : [straight([0, 1], [curve.prevalence, curve.prevalence], colour)]),
      { x: curve.recall, y: curve.precision, mode: "lines", line: strong(colour), hovertemplate: "recall %{x:.0%}, precision %{y:.0%}<extra></extra>" },
      ...(curve.judged === null ? [] : [mark([curve.judged[0]], [curve.judged[1]], "circle-open", "as judged: recall %{x:.0%}, precision %{y:.0%}", colour)]),
    ],
    xaxis: { range: [0, 1.02], ...SHARE }, yaxis: { range: [0, 1.03], ...SHARE },
  }),
  lead: ({ lead, hours }, colour) => {
    const inDays = hours > HOURS_READ_AS_HOURS;
    const x = lead.hours.map((each) => (inDays ? each / 24 : each));
    return {
      x: inDays ? "days of warning" : "hours of warning", y: "failures warned of",
      traces: [
        ...band(x, lead.low, lead.high, colour, { shape: "vh" }),
        { x, y: lead.share, mode: "lines", line: { ...strong(colour), shape: "vh" }, hovertemplate: `%{y:.0%} at least %{x:.3~g} ${inDays ? "days" : "h"} ahead<extra></extra>` },
      ],
      xaxis: { range: [0, (inDays ? hours / 24 : hours) * 1.02] }, yaxis: { range: [0, 1.03], ...SHARE },
    };
  },
  cost: ({ cost }, colour) => {
    const x = cost.threshold.map((each) => Math.max(each, 1e-4));
    const most = Math.max(cost.unwarned, cost.cost[cost.judged], cost.cost[cost.cheapest]) * 1.7;
    return {
      x: "warn from this risk on", y: `${currency} a machine and year`,
      traces: [
        ...band(x, cost.low, cost.high, colour, {}),
        straight([x[0], 1], [cost.unwarned, cost.unwarned], colour),
        { x, y: cost.cost, customdata: cost.caught, mode: "lines", line: strong(colour), hovertemplate: `from %{x:.2~%} on: ${currency} %{y:,.0f}, %{customdata} caught<extra></extra>` },
        mark([x[cost.judged]], [cost.cost[cost.judged]], "circle-open", `as judged: ${currency} %{y:,.0f} from %{x:.2~%} on`, colour),
        mark([x[cost.cheapest]], [cost.cost[cost.cheapest]], "diamond", `cheapest: ${currency} %{y:,.0f} from %{x:.2~%} on`, colour),
      ],
      annotations: [
        label(0.01, cost.unwarned, "without warnings", "left", colour),
        point(x[cost.judged], cost.cost[cost.judged], "as judged", -28, colour),
        ...(cost.cheapest === cost.judged ? [] : [point(x[cost.cheapest], cost.cost[cost.cheapest], "cheapest", 28, colour)]),
        ...(cost.warns_from === null ? [] : [{ x: Math.log10(cost.warns_from), y: 1, yref: "paper", text: "this plant warns", showarrow: false, xanchor: cost.warns_from > 0.05 ? "right" : "left", yanchor: "top", font: { color: colour("soft"), size: 11 } }]),
      ],
      shapes: cost.warns_from === null ? [] : [{ type: "line", layer: "below", x0: cost.warns_from, x1: cost.warns_from, yref: "paper", y0: 0, y1: 1, line: { color: colour("faint"), width: 1, dash: "dot" } }],
      xaxis: { type: "log", range: [Math.log10(Math.max(x[0], 1e-4)), 0.02], dtick: 1, tickformat: "~%" }, yaxis: { range: [0, most], tickformat: ",.2~s" },
    };
  },
};

const percent = (share) => (share > 0 && share < 0.01 ? "< 1 %" : `${rounded(Math.round(share * 100))} %`);
const strong = (colour) => ({ width: 2.2, color: colour("trace") });
const straight = (x, y, colour) => ({ x, y, mode: "lines", line: { color: colour("faint"), width: 1, dash: "dash" }, hoverinfo: "skip" });
const mark = (x, y, symbol, words, colour) => ({ x, y, mode: "markers", cliponaxis: false, marker: { size: symbol === "diamond" ? 10 : 12, symbol, color: colour("ink"), line: { width: 2, color: colour("ink") } }, hovertemplate: `${words}<extra></extra>` });
const label = (x, y, text, xanchor, colour) => ({ x, xref: "paper", y, text, showarrow: false, xanchor, yanchor: "bottom", font: { color: colour("soft"), size: 11 } });
const point = (x, y, text, ay, colour) => ({ x: Math.log10(x), y, text, ax: 0, ay, arrowcolor: colour("edge"), arrowwidth: 1, arrowhead: 0, standoff: 7, font: { color: colour("ink"), size: 12 } });

function band(x, low, high, colour, line) {
  if (low === null) return [];
  const edge = { mode: "lines", line: { width: 0, ...line }, hoverinfo: "skip" };
  return [{ ...edge, x, y: low }, { ...edge, x, y: high, fill: "tonexty", fillcolor: colour("band") }];
}

/** The same curve of the other horizons, without marks and bands. */
function others(name, colour) {
  const lines = { reliability: ["predicted", "observed"], precision_recall: ["recall", "precision"] }[name];
  if (!lines) return [];
  return horizons.flatMap((horizon, place) => (place === chosen || !horizon[name] ? [] : [
    { x: horizon[name][lines[0]], y: horizon[name][lines[1]], mode: "lines", line: { width: 1, color: colour("normal") }, hovertemplate: `${horizon.within}: %{x:.0%}, %{y:.0%}<extra></extra>` },
  ]));
}

function show() {
  const colour = colours();
  for (const [name, drawer] of Object.entries(drawers)) {
    const place = document.getElementById(name);
    if (place) drawOne(place, name, drawer, colour);
  }
}

function drawOne(place, name, drawer, colour) {
  if (!horizons[chosen][name]) {
    globalThis.Plotly.purge(place);
    place.classList.remove("js-plotly-plot");
    place.replaceChildren(Object.assign(document.createElement("p"), { className: "soft", textContent: "The card holds no such curve at this horizon." }));
    return;
  }
  if (!place.classList.contains("js-plotly-plot")) place.replaceChildren();
  const { x, y, traces, xaxis, yaxis, annotations, shapes } = drawer(horizons[chosen], colour);
  draw(place, [...others(name, colour), ...traces], {
    ...frame(colour), height: 320, dragmode: false, margin: { l: 62, r: 14, t: 10, b: 46 }, annotations, shapes,
    xaxis: { ...axis(colour), ...FIXED, ...xaxis, title: { text: x, standoff: 8 } },
    yaxis: { ...axis(colour), ...FIXED, ...yaxis, title: { text: y, standoff: 8 } },
  });
}

for (const button of document.querySelectorAll("[data-within]")) {
  button.addEventListener("click", () => {
    chosen = Number(button.dataset.within);
    for (const each of document.querySelectorAll("[data-within]")) each.setAttribute("aria-pressed", String(each === button));
    for (const each of document.querySelectorAll("[data-of]")) each.hidden = Number(each.dataset.of) !== chosen;
    show();
  });
}
if (horizons.length) {
  onColourChange(show);
  show();
}
