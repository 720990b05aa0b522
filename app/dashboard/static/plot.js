// What all plots share: the page's own colours, a quiet frame, the reader's zone on time axes.
/* global Plotly */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

export function frame(colour) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("soft") },
    hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("edge"), font: { color: colour("ink"), size: 12 } },
    showlegend: false,
    dragmode: "zoom",
  };
}

export const axis = (colour) => ({ gridcolor: colour("line"), zeroline: false, linecolor: colour("edge"), tickcolor: colour("edge"), automargin: false });

export function draw(place, traces, layout) {
  return Plotly.react(place, traces, layout, { displayModeBar: false, responsive: true, doubleClick: "reset" });
}

/** Plotly draws time axes in UTC: give it the reader's wall clock instead. */
export function wallClock(milliseconds) {
  return milliseconds - new Date(milliseconds).getTimezoneOffset() * 60_000;
}

export function onColourChange(redraw) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

export const narrow = () => matchMedia("(max-width: 760px)").matches;

/** 6.1734 -> "6.17": as many digits as a reader can use. */
export const rounded = (value) => (value === null ? null : Number(value.toPrecision(4)));
