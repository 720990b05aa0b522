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
// The form's times are typed in the reader's zone; the server learns how far that is from UTC at each of them.
for (const form of document.querySelectorAll("form.event")) {
  const zone = form.querySelector("[data-zone]");
  if (zone) zone.textContent = `Times in your zone, ${Intl.DateTimeFormat().resolvedOptions().timeZone}.`;
  form.addEventListener("submit", () => {
    for (const typed of form.querySelectorAll("input[type=datetime-local]")) {
      const name = `${typed.name}_utc_offset_minutes`;
      const offset = form.elements[name] ?? form.appendChild(Object.assign(document.createElement("input"), { type: "hidden", name }));
      const at = new Date(typed.value);
      offset.value = Number.isNaN(at.getTime()) ? 0 : -at.getTimezoneOffset();
    }
  });
}
