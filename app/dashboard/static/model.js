// The model page's curves, one line a horizon.
import { axis, colours, draw, frame, onColourChange } from "./plot.js";

const curves = JSON.parse(document.getElementById("curves").textContent);
const DASHES = ["dot", "dash", "dashdot", "longdash", "longdashdot"];

function show() {
  const colour = colours();
  const shared = (x, y) => ({
    ...frame(colour), height: 340, showlegend: true, legend: { orientation: "h", y: -0.22, x: 0 }, dragmode: false,
    margin: { l: 66, r: 12, t: 8, b: 44 },
    xaxis: { ...axis(colour), range: [0, 1.005], title: { text: x, standoff: 8 }, tickformat: ".0%", fixedrange: true },
    yaxis: { ...axis(colour), range: [0, 1.02], title: { text: y, standoff: 8 }, tickformat: ".0%", fixedrange: true },
  });
  // Horizons are an order, not meanings: dashes tell them apart, and the one that warnings are judged at is drawn strong.
  const line = (curve, i) => ({ dash: curve.horizon === curves.marked ? "solid" : DASHES[i % DASHES.length], ...(curve.horizon === curves.marked ? { width: 2.4, color: colour("trace") } : { width: 1.3, color: colour("edge") }) });
  fill("reliability", curves.reliability, [
    { x: [0, 1], y: [0, 1], mode: "lines", name: "ideal", line: { color: colour("normal"), width: 1 }, hoverinfo: "skip" },
    ...curves.reliability.map((curve, i) => ({ x: curve.predicted, y: curve.observed, mode: "lines+markers", name: curve.horizon, line: line(curve, i), marker: { size: 5 }, hovertemplate: `predicted %{x:.0%}, observed %{y:.0%}<extra>${curve.horizon}</extra>` })),
  ], shared("predicted", "observed"));
  fill("precision-recall", curves.precision_recall, curves.precision_recall.flatMap((curve, i) => [
    { x: curve.recall, y: curve.precision, mode: "lines", name: curve.horizon, line: line(curve, i), hovertemplate: `recall %{x:.0%}, precision %{y:.0%}<extra>${curve.horizon}</extra>` },
    ...(curve.prevalence === null || curve.horizon !== curves.marked ? [] : [{ x: [0, 1], y: [curve.prevalence, curve.prevalence], mode: "lines", showlegend: false, line: { color: colour("faint"), width: 1, dash: "dash" }, hoverinfo: "skip" }]),
  ]), shared("recall: share of failures found", "precision"));
  const free = (x, y, more) => {
    const layout = shared(x, y);
    const plain = { range: undefined, tickformat: undefined, rangemode: "tozero" };
    return { ...layout, xaxis: { ...layout.xaxis, ...plain, ...more }, yaxis: { ...layout.yaxis, ...plain, automargin: true } };
  };
  const lead = free("hours of warning", "failures warned of");
  fill("lead", curves.lead, curves.lead.map((curve, i) => (
    { x: curve.hours, y: curve.share, mode: "lines", name: curve.horizon, line: { ...line(curve, i), shape: "vh" }, hovertemplate: `%{y:.0%} at least %{x:.0f} h ahead<extra>${curve.horizon}</extra>` }
  )), { ...lead, yaxis: { ...lead.yaxis, tickformat: ".0%", range: [0, 1.02] } });
  const cost = curves.cost.filter((curve) => curve.horizon === curves.marked);
  fill("cost", cost, cost.flatMap((curve) => [
    { x: curve.threshold, y: curve.cost, customdata: curve.caught, mode: "lines", name: curve.horizon, line: { color: colour("trace"), width: 2.4 }, hovertemplate: `from %{x:.1%} on: ${curves.currency}%{y:,.0f}, %{customdata} caught<extra></extra>` },
    { x: [curve.threshold[0], curve.threshold.at(-1)], y: [curve.unwarned, curve.unwarned], mode: "lines", name: "never act", line: { color: colour("faint"), width: 1, dash: "dash" }, hovertemplate: `never act: ${curves.currency}%{y:,.0f}<extra></extra>` },
    { x: [curve.used], y: [atUse(curve)], mode: "markers", name: "in use", marker: { size: 11, symbol: "circle-open", color: colour("ink"), line: { width: 2 } }, hovertemplate: "in use: %{x:.1%}<extra></extra>" },
  ]), free("act from this risk on", `${curves.currency} a machine and year`, { tickformat: ".1%", type: "log", dtick: 1 }));
}

/** The cost at the threshold in use: that of the nearest one on the curve. */
function atUse(curve) {
  const distance = (threshold) => Math.abs(Math.log(Math.max(threshold, 1e-9) / Math.max(curve.used, 1e-9)));
  const nearest = curve.threshold.reduce((best, threshold, i) => (distance(threshold) < distance(curve.threshold[best]) ? i : best), 0);
  return curve.cost[nearest];
}

function fill(id, curve, traces, layout) {
  const place = document.getElementById(id);
  if (curve.length) draw(place, traces, layout);
  else place.replaceChildren(Object.assign(document.createElement("p"), { className: "soft", textContent: "This model's card holds no such curve." }));
}

onColourChange(show);
show();
