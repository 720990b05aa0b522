// Every page: times in the reader's zone, and the live connection that refreshes what is marked data-live.
import { localise, startClock } from "./times.js";
import { follow } from "./live.js";

localise(document);
startClock();
follow();

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
for (const select of document.querySelectorAll(".filters select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
// The form's times are typed in the reader's zone; the server learns how far that is from UTC at that time.
for (const form of document.querySelectorAll("form.event")) {
  const zone = form.querySelector("[data-zone]");
  if (zone) zone.textContent = `Times in your zone, ${Intl.DateTimeFormat().resolvedOptions().timeZone}.`;
  form.addEventListener("submit", () => {
    const typed = [...form.querySelectorAll("input[type=datetime-local]")].find((input) => input.value);
    if (!typed) return;
    const first = new Date(typed.value);
    form.elements.utc_offset_minutes.value = Number.isNaN(first.getTime()) ? 0 : -first.getTimezoneOffset();
  });
}
