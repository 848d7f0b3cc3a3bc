// SPDX-License-Identifier: Apache-2.0
// The embedded data: columns by id; texts and figures by column and row number.

const DATA = JSON.parse(byId("data").textContent);
const COLUMNS = new Map(DATA.columns.map((column) => [column.id, column]));
const ROWS = DATA.ids.length;
const BENCHMARKS = [
  ["kws", "Keyword spotting"],
  ["vww", "Visual wake words"],
  ["ic", "Image classification"],
  ["ad", "Anomaly detection"],
  ["sww", "Streaming wakeword"],
  ["ic02", "Image classification 02"],
];
const SEARCHED = ["submitter", "system", "variant", "board", "soc", "core", "processor", "accelerator", "framework_family", "framework"];

const figures = [...COLUMNS.values()].filter((column) => column.kind === "number");
const text = (column, row) => {
  const c = COLUMNS.get(column);
  return c && c.dictionary ? c.dictionary[c.index[row]] : "";
};
const figure = (column, row) => {
  const c = COLUMNS.get(column);
  return c && c.values ? c.values[row] : null;
};
const hasFigure = (column, row) => {
  const value = figure(column, row);
  return value !== null && value !== undefined;
};
const named = (column) => (COLUMNS.get(column) || { title: column }).title;
const withUnit = (column) => {
  const c = COLUMNS.get(column);
  return c.unit ? `${c.title} (${c.unit})` : c.title;
};
/** All labels of a result's figures: simulated or measured, model, board, supply voltage, clock, division, model error. */
const labels = (row) => text("conditions", row);
const isOwn = (row) => text("origin", row) === "own run";
/** What a figure is never shown without; of published results the round stands for it. */
const marks = (row) => text("label", row);
const isPublished = (row) => ["published", "printed"].includes(marks(row));
const sameTexts = (column) => (COLUMNS.get(column) || { dictionary: [] }).dictionary;
const notes = (row) => DATA.notes.dictionary[DATA.notes.index[row]];

let haystacks = null;
/** Everything that the search looks at, row by row, in lower case. */
function haystack(row) {
  haystacks ??= Array.from({ length: ROWS }, (_, r) =>
    SEARCHED.map((column) => text(column, r))
      .join(" ")
      .toLowerCase(),
  );
  return haystacks[row];
}

/** How a result is called in one line. */
function caption(row) {
  const parts = [text("board", row) || text("system", row), text("framework_family", row)].filter(Boolean);
  const mark = isPublished(row) ? text("round", row) : marks(row);
  return `${text("submitter", row)} · ${parts.join(" · ")}${mark ? ` (${mark})` : ""}`;
}

/** Rounds in their order, own runs last. */
const byRound = (a, b) => (a.startsWith("v") ? 0 : 1) - (b.startsWith("v") ? 0 : 1) || a.localeCompare(b, "en", { numeric: true });
