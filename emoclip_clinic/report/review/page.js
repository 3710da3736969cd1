"use strict";
// reads what was decided from the page itself: nothing is kept anywhere else, nothing is sent

const COLUMNS = ["recording", "action", "participant_person", "start_s", "stop_s", "people"];

// 83.5, or 1:23.5
function seconds(text) {
  const parts = text.trim().replace(",", ".").split(":");
  if (parts.length > 3 || parts.some((part) => !/^\d+(\.\d+)?$/.test(part))) return NaN;
  return parts.reduce((sum, part) => 60 * sum + Number(part), 0);
}

function clock(time) {
  const hundredths = Math.round(100 * time);
  const rest = (hundredths % 6000) / 100;
  return `${Math.floor(hundredths / 6000)}:${rest < 10 ? "0" : ""}${rest}`;
}

function cell(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function ticked(section) {
  return [...section.querySelectorAll("input[type=checkbox]:checked")];
}

function rows() {
  const found = [];
  for (const section of document.querySelectorAll(".recording")) {
    const { recording, people } = section.dataset;
    for (const box of ticked(section)) found.push([recording, "choose", box.value, "", "", people]);
    for (const item of section.querySelectorAll(".stretches li"))
      found.push([recording, "exclude", "", item.dataset.start, item.dataset.stop, ""]);
  }
  return found;
}

function csv() {
  return [COLUMNS, ...rows()].map((row) => row.map(cell).join(",") + "\n").join("");
}

function say(text) {
  document.querySelector("#saved").textContent = text;
}

function changed() {
  say("Not downloaded yet: what you changed is lost when this page is closed.");
}

function download() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = "review.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  say("Downloaded. Now put review.csv into the study folder.");
}

// who is in view in the same moment as somebody else is another person
function together(boxes) {
  const spans = boxes.flatMap((box) =>
    [...box.closest(".person").querySelectorAll(".seen")].map((part) => {
      const start = Number(part.getAttribute("x"));
      return { who: box.value, start, stop: start + Number(part.getAttribute("width")) };
    }),
  );
  spans.sort((a, b) => a.start - b.start);
  let last = { stop: 0 };
  for (const span of spans) {
    // narrow parts are drawn wider than they are
    if (span.who !== last.who && span.start < last.stop - 1) return true;
    if (span.stop > last.stop) last = span;
  }
  return false;
}

function decide(section) {
  const boxes = ticked(section);
  const names = boxes.map((box) => box.value).join(" and ");
  const own = boxes.length > 1 ? `persons ${names}, as one and the same` : `person ${names}`;
  const twice = together(boxes)
    ? " But they are in view at the same time, so they are not one person: tick one of them."
    : "";
  const text = boxes.length ? `${own}, chosen by you.${twice}` : section.dataset.otherwise;
  section.querySelector(".decided").textContent = `Participant: ${text}`;
}

function draw(section) {
  for (const old of section.querySelectorAll(".out")) old.remove();
  const duration = Number(section.dataset.duration);
  for (const item of section.querySelectorAll(".stretches li"))
    for (const line of section.querySelectorAll(".timeline")) {
      const start = Number(item.dataset.start);
      const stop = item.dataset.stop === "" ? duration : Number(item.dataset.stop);
      mark(line, "out", start / duration, stop / duration);
    }
}

function mark(line, kind, start, stop) {
  const part = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  part.setAttribute("class", kind);
  part.setAttribute("x", 1000 * Math.max(0, start));
  part.setAttribute("width", 1000 * Math.max(0, Math.min(1, stop) - Math.max(0, start)));
  part.setAttribute("height", 22);
  line.append(part);
}

function describe(item) {
  const { start, stop } = item.dataset;
  const words = `${clock(Number(start))} to ${stop === "" ? "the end" : clock(Number(stop))}`;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "keep";
  button.textContent = "Keep it after all";
  button.setAttribute("aria-label", `Keep it after all: ${words}`);
  item.append(`Excluded: ${words} `, button);
}

function refused(start, stop, duration) {
  if (!(start < stop))
    return "Give two times, the first before the second, such as 1:20 and 2:05.5";
  return start < duration ? "" : `The recording ends at ${clock(duration)}`;
}

function exclude(section) {
  const inputs = [...section.querySelectorAll(".from, .to")];
  const [from, to] = inputs.map((input) => input.value.trim());
  const [start, stop] = [from ? seconds(from) : 0, to ? seconds(to) : Infinity];
  const wrong = from || to ? refused(start, stop, Number(section.dataset.duration)) : refused();
  section.querySelector(".message").textContent = wrong;
  for (const input of inputs) input.setAttribute("aria-invalid", wrong !== "");
  if (wrong) return;
  for (const input of inputs) input.value = "";
  const item = document.createElement("li");
  item.dataset.start = String(start);
  item.dataset.stop = to ? String(stop) : "";
  describe(item);
  section.querySelector(".stretches").append(item);
  draw(section);
  changed();
}

function keep(section, item) {
  item.remove();
  // the button that had the focus is gone
  section.querySelector(".from").focus();
  draw(section);
  changed();
}

// a stretch can be drawn over the timeline with the mouse
function drag(section, line) {
  const place = (event) => {
    const box = line.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  line.addEventListener("pointerdown", (down) => {
    const first = place(down);
    line.setPointerCapture(down.pointerId);
    const move = (event) => {
      for (const old of section.querySelectorAll(".marked")) old.remove();
      const ends = [first, place(event)].sort((a, b) => a - b);
      mark(line, "marked", ...ends);
      const inputs = section.querySelectorAll(".from, .to");
      ends.forEach((end, n) => (inputs[n].value = clock(end * section.dataset.duration)));
    };
    const end = () => {
      line.removeEventListener("pointermove", move);
      for (const old of section.querySelectorAll(".marked")) old.remove();
    };
    line.addEventListener("pointermove", move);
    for (const kind of ["pointerup", "pointercancel"])
      line.addEventListener(kind, end, { once: true });
  });
}

for (const section of document.querySelectorAll(".recording")) {
  section.querySelectorAll(".stretches li").forEach(describe);
  decide(section);
  // from now on changes are read out
  section.querySelector(".decided").setAttribute("role", "status");
  draw(section);
  for (const line of section.querySelectorAll(".timeline")) drag(section, line);
  section.addEventListener("click", (event) => {
    if (event.target.matches(".exclude")) exclude(section);
    if (event.target.matches(".keep")) keep(section, event.target.parentElement);
  });
  section.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches(".from, .to")) exclude(section);
  });
  section.addEventListener("change", (event) => {
    if (!event.target.matches("input[type=checkbox]")) return;
    decide(section);
    changed();
  });
}
document.querySelector("#download").addEventListener("click", download);
