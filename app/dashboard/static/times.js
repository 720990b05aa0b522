// Times as people read them, in the browser's own zone; the UTC time stays in the title.
const withYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const thisYear = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const onlyDay = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
const dayWithYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const onlyTime = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

export const clockTime = (moment) => onlyTime.format(moment);
export const day = (moment) => dayWithYear.format(moment);

export function ago(moment, now = new Date()) {
  const seconds = Math.round((now - moment) / 1000);
  if (seconds < 2) return "just now";
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} days ago`;
}

export function localise(root) {
  const now = new Date();
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    if ("relative" in element.dataset) {
      element.textContent = ago(moment, now);
    } else if ("day" in element.dataset) {
      const near = Math.abs(moment - now) < 300 * 86400e3;
      element.textContent = (near ? onlyDay : dayWithYear).format(moment);
    } else if ("clock" in element.dataset) {
      element.textContent = onlyTime.format(moment);
    } else if (!("full" in element.dataset) && moment.toDateString() === now.toDateString()) {
      element.textContent = onlyTime.format(moment);
    } else {
      const near = Math.abs(moment - now) < 300 * 86400e3;
      element.textContent = (near ? thisYear : withYear).format(moment).replace(/,/g, "");
    }
  }
}

export function startClock() {
  setInterval(() => {
    for (const element of document.querySelectorAll("time[data-relative]")) {
      element.textContent = ago(new Date(element.dateTime));
    }
  }, 1000);
}
