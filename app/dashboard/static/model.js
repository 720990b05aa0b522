// The model page's two curves, one line a horizon.
import { axis, colours, draw, frame, onColourChange } from "./plot.js";

const curves = JSON.parse(document.getElementById("curves").textContent);
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];

function show() {
  const colour = colours();
  const shared = (x, y) => ({
    ...frame(colour), height: 340, showlegend: true, legend: { orientation: "h", y: -0.22, x: 0 }, dragmode: false,
    margin: { l: 52, r: 12, t: 8, b: 44 },
    xaxis: { ...axis(colour), range: [0, 1.005], title: { text: x, standoff: 8 }, tickformat: ".0%", fixedrange: true },
    yaxis: { ...axis(colour), range: [0, 1.02], title: { text: y, standoff: 8 }, tickformat: ".0%", fixedrange: true },
  });
  const line = (i, count) => ({ width: 1.8, dash: DASHES[i % DASHES.length], color: shade(colour, i, count) });
  fill("reliability", curves.reliability, [
    { x: [0, 1], y: [0, 1], mode: "lines", name: "ideal", line: { color: colour("normal"), width: 1 }, hoverinfo: "skip" },
    ...curves.reliability.map((curve, i) => ({ x: curve.predicted, y: curve.observed, mode: "lines+markers", name: curve.horizon, line: line(i, curves.reliability.length), hovertemplate: `predicted %{x:.0%}, observed %{y:.0%}<extra>${curve.horizon}</extra>` })),
  ], shared("predicted", "observed"));
  fill("precision-recall", curves.precision_recall, curves.precision_recall.flatMap((curve, i) => [
    { x: curve.recall, y: curve.precision, mode: "lines", name: curve.horizon, line: line(i, curves.precision_recall.length), hovertemplate: `recall %{x:.0%}, precision %{y:.0%}<extra>${curve.horizon}</extra>` },
    ...(curve.prevalence === null ? [] : [{ x: [0, 1], y: [curve.prevalence, curve.prevalence], mode: "lines", showlegend: false, line: { color: colour("faint"), width: 1, dash: "dash" }, hoverinfo: "skip" }]),
  ]), shared("recall: share of failures found", "precision"));
}

/** Horizons are an order, so they are shades of one ink rather than colours that would mean something. */
const shade = (colour, i, count) => (count < 2 || i === count - 1 ? colour("trace") : i % 2 ? colour("link") : colour("edge"));

function fill(id, curve, traces, layout) {
  const place = document.getElementById(id);
  if (curve.length) draw(place, traces, layout);
  else place.replaceChildren(Object.assign(document.createElement("p"), { className: "soft", textContent: "This model's card holds no such curve." }));
}

onColourChange(show);
show();
