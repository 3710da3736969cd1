"use strict";
// reads what was decided from the page itself: nothing is kept anywhere else, nothing is sent

const COLUMNS = ["recording", "action", "participant_person", "start_s", "stop_s", "people"];

// 83.5, or 1:23.5
function seconds(text) {
  const parts = text.trim().replace(",", ".").split(":");
  if (parts.length > 3 || parts.some((part) => !/^\d+(\.\d+)?$/.test(part))) return NaN;
  return parts.reduce((sum, part) => 60 * sum + Number(part), 0);
}

function cell(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function rows() {
  const found = [];
  for (const section of document.querySelectorAll(".recording")) {
    const { recording, people } = section.dataset;
    for (const box of section.querySelectorAll("input[type=checkbox]:checked"))
      found.push([recording, "choose", box.value, "", "", people]);
    for (const item of section.querySelectorAll(".stretches li"))
      found.push([recording, "exclude", "", item.dataset.start, item.dataset.stop, ""]);
  }
  return found;
}

function csv() {
  return [COLUMNS, ...rows()].map((row) => row.map(cell).join(",") + "\n").join("");
}

function download() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = "review.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function draw(section) {
  for (const old of section.querySelectorAll(".out")) old.remove();
  const duration = Number(section.dataset.duration);
  for (const item of section.querySelectorAll(".stretches li"))
    for (const line of section.querySelectorAll("svg")) {
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

function exclude(section) {
  const [from, to] = section.querySelectorAll("input[type=text]");
  const [start, stop] = [seconds(from.value), seconds(to.value)];
  const message = section.querySelector(".message");
  if (!(start < stop)) {
    message.textContent = "Give two times, the first before the second, such as 1:20 and 2:05.5";
    return;
  }
  message.textContent = from.value = to.value = "";
  const item = document.createElement("li");
  [item.dataset.start, item.dataset.stop] = [String(start), String(stop)];
  item.append(`${start} s to ${stop} s `);
  const button = document.createElement("button");
  button.className = "keep";
  button.textContent = "keep it after all";
  item.append(button);
  section.querySelector(".stretches").append(item);
  draw(section);
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
      const inputs = section.querySelectorAll("input[type=text]");
      ends.forEach((end, n) => (inputs[n].value = (end * section.dataset.duration).toFixed(1)));
    };
    line.addEventListener("pointermove", move);
    line.addEventListener(
      "pointerup",
      () => {
        line.removeEventListener("pointermove", move);
        for (const old of section.querySelectorAll(".marked")) old.remove();
      },
      { once: true },
    );
  });
}

for (const section of document.querySelectorAll(".recording")) {
  draw(section);
  for (const line of section.querySelectorAll("svg")) drag(section, line);
  section.addEventListener("click", (event) => {
    if (event.target.matches(".exclude")) exclude(section);
    if (event.target.matches(".keep")) {
      event.target.parentElement.remove();
      draw(section);
    }
  });
}
document.querySelector("#download").addEventListener("click", download);
