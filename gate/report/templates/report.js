"use strict";
// Sorting and filtering of tables, and ages; everything is readable without.

function sortBy(table, column, button) {
  const header = button.closest("th");
  const numeric = header.classList.contains("num");
  const before = header.getAttribute("aria-sort");
  const down = before ? before === "ascending" : numeric;
  for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = (row) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    if (!numeric) return text;
    const number = parseFloat(text.replaceAll(",", ""));
    return Number.isNaN(number) ? -Infinity : number;
  };
  const rows = Array.from(table.tBodies[0].rows, (row) => [value(row), row]);
  const sign = down ? -1 : 1;
  rows.sort(([a], [b]) => sign * (numeric ? a - b : a.localeCompare(b, "en", { numeric: true })));
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  const headers = Array.from(table.tHead.rows[0].cells);
  headers.forEach((header, column) => {
    if (!header.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent.trim();
    header.replaceChildren(button);
    button.addEventListener("click", () => sortBy(table, column, button));
  });
}

for (const box of document.querySelectorAll(".filter")) {
  const table = document.getElementById(box.dataset.table);
  const input = box.querySelector("input");
  const shown = box.querySelector("output");
  box.hidden = false;
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      count += !row.hidden;
    }
    shown.textContent = `${count} of ${table.tBodies[0].rows.length}`;
  };
  input.addEventListener("input", filter);
  filter();
}

// The page was written at some time, but is read at another.
for (const time of document.querySelectorAll("time[data-age]")) {
  const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
  for (const [size, unit] of [[86400, "day"], [3600, "hour"], [60, "minute"]]) {
    if (seconds >= size) {
      const count = Math.floor(seconds / size);
      time.textContent = `${count} ${unit}${count === 1 ? "" : "s"} old`;
      break;
    }
  }
}

const viewer = document.querySelector("mutation-test-report-app");
if (viewer) viewer.report = JSON.parse(document.getElementById("mutants-report").textContent);
