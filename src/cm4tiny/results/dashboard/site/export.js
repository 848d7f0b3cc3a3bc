// SPDX-License-Identifier: Apache-2.0
// What leaves the page, and only as a file that the user saves.

function save(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** A cell of CSV. A text that a spreadsheet would take for a formula gets an apostrophe before it. */
function cell(value) {
  if (value === null || value === undefined) return "";
  let content = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(content)) content = `'${content}`;
  return /[",\r\n]/.test(content) ? `"${content.replaceAll('"', '""')}"` : content;
}

/** The filtered table with every column, in the table's order; says of each row whether it is on the front, or was left out of it. */
function tableAsCsv(rows, front, judge) {
  const ids = [...COLUMNS.keys()],
    inFront = new Set(front);
  const lines = rows.map((row) => [
    inFront.has(row) ? "yes" : judge && misses(row) ? "left out: misses the quality target" : "no",
    ...ids.map((id) => (COLUMNS.get(id).kind === "number" ? figure(id, row) : text(id, row))),
  ]);
  return [["pareto_front", ...ids], ...lines].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

async function plotAsSvg(plot) {
  return plot.view ? plot.view.toSVG() : "";
}
