// The model page's two curves, one line a horizon.
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
}

function fill(id, curve, traces, layout) {
  const place = document.getElementById(id);
  if (curve.length) draw(place, traces, layout);
  else place.replaceChildren(Object.assign(document.createElement("p"), { className: "soft", textContent: "This model's card holds no such curve." }));
}

onColourChange(show);
show();
