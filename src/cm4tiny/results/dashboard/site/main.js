// SPDX-License-Identifier: Apache-2.0
// Puts the parts together: a change of state selects rows, and everything shows them.

let state = stateFromHash(location.hash);
let current = { rows: [], front: [] };

const open = (row) =>
  openDetails(row, (board) => {
    change({ board });
    byId("history-title").scrollIntoView({ behavior: "smooth" });
  });
const plot = new Plot(byId("plot"), open);
const historyPlot = new Plot(byId("history"), open);
const table = new Table(byId("table"), open, (column) => {
  const same = state.sort.column === column;
  state.sort = { column, descending: same ? !state.sort.descending : COLUMNS.get(column).better === "more" };
  change({});
});

/** Applies a change and shows the outcome; resolves when the plots are drawn too. */
async function change(changes) {
  const began = performance.now();
  Object.assign(state, changes);
  if ("benchmark" in changes) renderBenchmarks(state, change);
  if ("benchmark" in changes || "board" in changes) renderHistoryBar(state, change);
  const { rows, counts } = select(state);
  const objectives = objectivesOf(state);
  const { eligible, excluded } = candidates(state, rows, objectives);
  const front = objectives.length ? pareto(eligible, objectives) : [];
  current = { rows: sorted(rows, state.sort), front };
  updateFacets(state, counts);
  summary(rows, front);
  renderFront(state, front, excluded, open);
  table.show(current.rows, columnsShown(), front, state.sort);
  bookmark();
  await Promise.all([drawComparison(plot, state, rows, front), drawHistory(historyPlot, state)]);
  document.documentElement.dataset.updated = String(Number(document.documentElement.dataset.updated || 0) + 1);
  document.documentElement.dataset.milliseconds = String(performance.now() - began);
}

let bookmarking = 0;
/** Writes the state into the address, a moment after the last change. */
function bookmark() {
  clearTimeout(bookmarking);
  bookmarking = setTimeout(() => {
    const hash = stateToHash(state);
    if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? `#${hash}` : location.pathname);
  }, 200);
}

function columnsShown() {
  const extra = [state.benchmark ? "" : "benchmark", ...state.shown, state.x, state.y, state.z];
  return [...new Set(extra)].filter((id) => COLUMNS.has(id));
}

function summary(rows, front) {
  const total = rows.length === 1 ? "1 result" : `${rows.length.toLocaleString("en")} results`;
  byId("count").textContent = `${total}${front.length ? `, ${front.length} on the Pareto front` : ""}`;
  const empty = byId("table-empty");
  empty.hidden = rows.length > 0;
  empty.replaceChildren("No result meets the filters.", el("button", { type: "button", click: reset }, "Reset filters"));
  const active = activeFilters(state),
    pill = byId("active");
  pill.hidden = active === 0;
  pill.textContent = active;
}

function reset() {
  const { benchmark, x, y, z, judge, color, sort, shown, board, historyMetric } = state;
  start({ ...initialState(), benchmark, x, y, z, judge, color, sort, shown, board, historyMetric });
}

/** Shows a state from scratch. */
function start(next) {
  state = next;
  byId("search").value = state.search;
  renderAxes(state, change);
  renderConstraints(state, change);
  renderFacets(state, change);
  renderColumns(state, change);
  renderHistoryBar(state, change);
  renderBenchmarks(state, change);
  return change({});
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = name === "dark" ? "☀ Light" : "☾ Dark";
  byId("theme").setAttribute("aria-label", `Change to the ${name === "dark" ? "light" : "dark"} colour scheme`);
}

const preferred = matchMedia("(prefers-color-scheme: dark)");
setTheme(preferred.matches ? "dark" : "light");
preferred.addEventListener("change", (event) => {
  setTheme(event.matches ? "dark" : "light");
  change({});
});
byId("theme").addEventListener("click", () => {
  setTheme(theme() === "dark" ? "light" : "dark");
  change({});
});
byId("search").addEventListener("input", (event) => change({ search: event.target.value }));
byId("controls").addEventListener("submit", (event) => event.preventDefault());
byId("reset").addEventListener("click", reset);
byId("save-csv").addEventListener("click", () => save("mlperf-tiny-results.csv", "text/csv", tableAsCsv(current.rows, current.front, state.judge)));
byId("save-svg").addEventListener("click", async () => save("mlperf-tiny-plot.svg", "image/svg+xml", await plotAsSvg(plot)));
byId("table").addEventListener("focus", () => table.mark());
byId("table").addEventListener("blur", () => table.mark());
window.addEventListener("hashchange", () => start(stateFromHash(location.hash)));
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  event.preventDefault();
  byId("filters").open = true;
  byId("search").focus();
});
document.addEventListener("click", (event) => {
  const menu = byId("chooser");
  if (menu.open && !menu.contains(event.target)) menu.open = false;
});

const wide = matchMedia("(min-width: 861px)");
byId("filters").open = wide.matches;
wide.addEventListener("change", () => {
  byId("filters").open = wide.matches;
});
let resizing = 0;
window.addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => {
    widths.clear();
    change({});
  }, 150);
});

const ownRuns = DATA.ids.filter((_, row) => isOwn(row)).length;
const rounds = sameTexts("round")
  .filter((round) => round.startsWith("v"))
  .sort(byRound);
byId("origin").textContent =
  `${(ROWS - ownRuns).toLocaleString("en")} published results of rounds ${rounds[0]} to ${rounds[rounds.length - 1]}` +
  (ownRuns ? ` and ${ownRuns} of your own` : "");
start(state);
