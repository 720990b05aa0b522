// The live connection. It says since when it is not live, and never pretends.
import { clockTime, localise } from "./times.js";

const HEARTBEAT_MISSING_MS = 20_000; // the server's heart beats every 5 s
const RETRY_MS = 5_000; // for a stream the browser has given up on
const HIDDEN_MS = 30_000; // how long a page out of sight stays connected
const REFRESH_MS = 2_000; // at most one refresh in this time, however much happens
const SILENCE_MS = 60_000; // nobody announces that a machine fell silent: look by ourselves

const listeners = new Set();
/** Calls `listener({kind, machine})` for every change; kind is "missed" after a gap. */
export const onChange = (listener) => listeners.add(listener);

let lastSign = new Date();
let source = null;
let retry = null;
let leaving = null;

function show(state, words) {
  const place = document.getElementById("live");
  if (place.dataset.state === state && place.textContent === words) return;
  place.dataset.state = state;
  place.textContent = words;
}

function alive() {
  lastSign = new Date();
  show("live", "live");
}

function lost() {
  show("lost", `not live since ${clockTime(lastSign)}`);
}

function tell(change) {
  for (const listener of listeners) listener(change);
}

function connect() {
  source?.close();
  source = new EventSource("/api/v1/stream");
  source.addEventListener("hello", () => { alive(); tell({ kind: "missed", machine: null }); });
  source.addEventListener("heartbeat", alive);
  source.addEventListener("lost", lost);
  source.addEventListener("missed", () => { alive(); tell({ kind: "missed", machine: null }); });
  source.addEventListener("change", (event) => { alive(); tell(JSON.parse(event.data)); });
  source.addEventListener("ended", () => { source.close(); lost(); location.reload(); });
  source.onerror = () => {
    lost();
    if (source?.readyState === EventSource.CLOSED) {
      clearTimeout(retry);
      retry = setTimeout(connect, RETRY_MS);
    }
  };
}

let first = true;
let pending = null;
let busy = false;
let lastRefresh = Date.now();

function concerns(change) {
  const place = document.body.dataset.place;
  if (change.kind === "missed") return !first;
  if (place === "fleet") return change.kind !== "reading" || isSilent(change.machine);
  if (place === "machine") return change.machine === null || change.machine === machineKey();
  if (place === "work") return change.kind === "work" || change.kind === "plan";
  if (place === "plan") return ["plan", "work", "what_if"].includes(change.kind);
  return place === "data" && change.kind === "reading";
}

const machineKey = () => decodeURIComponent(location.pathname.split("/").pop());
const isSilent = (key) => key === null || document.getElementById(`tile-${encodeURIComponent(key)}`)?.classList.contains("no_data");

function soon(change) {
  if (!concerns(change)) { first = false; return; }
  first = false;
  pending ??= setTimeout(refresh, Math.max(0, lastRefresh + REFRESH_MS - Date.now()));
}

/** Fetches this page again and puts in what changed of its live parts. */
async function refresh() {
  pending = null;
  if (busy || document.hidden) { pending = setTimeout(refresh, REFRESH_MS); return; }
  busy = true;
  lastRefresh = Date.now();
  try {
    const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (answer.redirected && new URL(answer.url).pathname === "/sign-in") { location.assign(answer.url); return; }
    if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    lost();
  } finally {
    busy = false;
    lastRefresh = Date.now();
  }
}

const seen = new Map();

function swap(page) {
  for (const fresh of page.querySelectorAll("[data-live]")) {
    const old = document.getElementById(fresh.id);
    if (!old) { location.reload(); return; }
    const before = seen.get(fresh.id);
    if (before === fresh.innerHTML || isBeingFilledIn(old)) continue;
    seen.set(fresh.id, fresh.innerHTML);
    replace(old, fresh);
  }
  document.dispatchEvent(new CustomEvent("wearwatch:refreshed", { detail: page }));
}

/** Whoever types into a form within must not lose it; the next refresh comes anyway. */
const isBeingFilledIn = (part) => [...part.querySelectorAll("input:not([type=hidden]), select")].some(
  (field) => field === document.activeElement || ("defaultValue" in field && field.value !== field.defaultValue));

function replace(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const open = [...old.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent);
  const still = [...old.querySelectorAll("[data-still]")];
  localise(fresh);
  old.replaceChildren(...fresh.childNodes);
  for (const plot of still) old.querySelector(`#${plot.id}`)?.replaceWith(plot);
  for (const summary of old.querySelectorAll("details > summary")) {
    if (open.includes(summary.textContent)) summary.parentElement.open = true;
  }
  if (focused) old.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  for (const button of old.querySelectorAll("[data-print]")) { button.hidden = false; button.onclick = () => print(); }
}

export function follow() {
  if (!document.getElementById("live")) return;
  onChange(soon);
  connect();
  setInterval(() => { if (new Date() - lastSign > HEARTBEAT_MISSING_MS) lost(); }, 1_000);
  setInterval(() => { pending ??= setTimeout(refresh, 0); }, SILENCE_MS);
  // A browser opens six connections to a host; pages nobody looks at must not hold them.
  document.addEventListener("visibilitychange", () => {
    clearTimeout(leaving);
    if (!document.hidden && source === null) connect();
    if (document.hidden) leaving = setTimeout(() => { source?.close(); source = null; }, HIDDEN_MS);
  });
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
}
