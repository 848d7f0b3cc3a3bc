// SPDX-License-Identifier: Apache-2.0
// A board over the rounds: every result as a point, the best of each round joined by a line.

const HOME_BOARD = DATA.boards.home; // the board that this project reproduces
const virtual = (board) => DATA.boards.virtual[board] || board;

/** Rows of the board that the other filters allow (rounds and boards are this plot's own business), and of own runs on its virtual model. */
function historyRows(state) {
  const open = { ...state, facets: { ...state.facets, round: new Set(), board: new Set([state.board, virtual(state.board)]) } };
  return select(open, false).rows.filter(
    (row) => figure(state.historyMetric, row) !== null && figure(state.historyMetric, row) !== undefined,
  );
}

/** Boards, those with the most rounds first. */
function boardsByRounds(benchmark) {
  const boards = new Map();
  for (let row = 0; row < ROWS; row++) {
    if (benchmark && text("benchmark", row) !== benchmark) continue;
    const board = text("board", row);
    if (!boards.has(board)) boards.set(board, { rounds: new Set(), results: 0 });
    boards.get(board).rounds.add(text("round", row));
    boards.get(board).results += 1;
  }
  return [...boards]
    .sort(([a, m], [b, n]) => n.rounds.size - m.rounds.size || n.results - m.results || (a < b ? -1 : 1))
    .map(([board, { rounds, results }]) => [
      board,
      `${board} (${rounds.size} ${rounds.size === 1 ? "round" : "rounds"}, ${results} results)`,
    ]);
}

function historySpec(state, rounds, names, type) {
  const c = PALETTE[theme()];
  const { better } = COLUMNS.get(state.historyMetric);
  const x = { field: "round", type: "ordinal", sort: rounds, scale: { domain: rounds }, axis: { title: "round", labelAngle: 0 } };
  const y = { ...axis(state.historyMetric, type), field: "y" };
  const color = state.benchmark
    ? { value: c.names[0] }
    : {
        field: "benchmark",
        type: "nominal",
        scale: { domain: names, range: c.names.slice(0, names.length) },
        legend: { title: "benchmark" },
      };
  const shape = { condition: { test: "datum.own", value: "diamond" }, value: "circle" };
  const size = { condition: { test: "datum.own", value: 170 }, value: 64 };
  const layers = [{ mark: { type: "point", filled: true, opacity: 0.82, cursor: "pointer" }, encoding: { x, y, color, shape, size } }];
  layers.push(...namesLayers(x, y));
  if (better) {
    layers.unshift({
      data: { name: "best" },
      mark: { type: "line", strokeWidth: 2, opacity: 0.75 },
      encoding: { x, y, color, detail: { field: "benchmark" } },
    });
  }
  return { data: { name: "points" }, width: "container", height: 280, layer: layers };
}

let boardKey = "",
  boardKept = null;
/** What depends on the board but not on the filters: its rounds, benchmarks, and the scale of the figure. */
function boardScope(state) {
  const key = JSON.stringify([state.board, state.benchmark, state.historyMetric]);
  if (key !== boardKey) {
    const rows = historyRows({ ...initialState(), benchmark: state.benchmark, board: state.board, historyMetric: state.historyMetric });
    const seen = (column) => new Set(rows.map((row) => text(column, row)));
    const benchmarks = seen("benchmark");
    boardKept = {
      rounds: [...seen("round")].sort(byRound),
      type: scaleOf(state.historyMetric, rows),
      names: BENCHMARKS.map(([id]) => id).filter((id) => benchmarks.has(id)),
    };
    boardKey = key;
  }
  return boardKept;
}

function drawHistory(plot, state) {
  const rows = historyRows(state),
    { rounds, type, names } = boardScope(state);
  const { better, unit } = COLUMNS.get(state.historyMetric);
  const best = new Map();
  for (const row of rows) {
    if (isOwn(row)) continue;
    const key = `${text("benchmark", row)} ${text("round", row)}`;
    const value = figure(state.historyMetric, row),
      other = best.has(key) ? figure(state.historyMetric, best.get(key)) : null;
    if (other === null || (better === "less" ? value < other : value > other)) best.set(key, row);
  }
  const chosen = new Set(best.values());
  const point = (row) => ({
    row,
    round: text("round", row),
    y: figure(state.historyMetric, row),
    benchmark: text("benchmark", row),
    own: isOwn(row),
    metrics: [state.historyMetric],
  });
  const data = apart(rows, state, type).map(point);
  const labelled = withText(rows.filter(isOwn)).map((row) => ({ ...point(row), mark: marks(row), right: true }));
  const node = byId("history"),
    empty = byId("history-empty");
  empty.hidden = data.length > 0;
  node.hidden = data.length === 0;
  empty.textContent = `No result of ${state.board || "this board"} has ${named(state.historyMetric)} under the filters.`;
  byId("history-note").textContent =
    data.length && better
      ? "The line joins the best published result of each round; own runs are diamonds. Filters other than round and board apply."
      : "";
  byId("history-note").textContent += supplies(rows, state);
  const label = `${withUnit(state.historyMetric)} of ${state.board} over ${rounds.filter((round) => round.startsWith("v")).length} rounds`;
  if (!data.length) return Promise.resolve();
  const key = JSON.stringify([
    state.board,
    names,
    state.historyMetric,
    state.benchmark,
    rounds,
    type,
    theme(),
    widthOf("history") > 560,
    unit,
  ]);
  return plot.show(
    key,
    () => historySpec(state, rounds, names, type),
    { points: data, named: labelled, ...(better ? { best: [...chosen].map(point) } : {}) },
    label,
  );
}

const AT_A_VOLTAGE = ["energy_uj_per_inf", "inferences_per_joule", "energy_delay_uj_s", "power_mw"];

/** Energies at different supply voltages stand in one plot: which voltages, as a text. */
function supplies(rows, state) {
  if (!AT_A_VOLTAGE.includes(state.historyMetric) || !rows.length) return "";
  const volts = [...new Set(rows.map((row) => figure("supply_v", row)))].sort((a, b) => (a ?? Infinity) - (b ?? Infinity));
  const names = volts.map((volt) => (volt === null || volt === undefined ? "not stated" : `${format(volt)} V`));
  return names.length > 1 ? ` These results are at different supply voltages (${names.join(", ")}) and do not compare without them.` : "";
}

/** Of very many rows only those whose points lie apart: one for each round, benchmark and half point of height. */
function apart(rows, state, { type }) {
  if (rows.length <= CROWD / 10) return rows;
  const scaled = rows.map((row) => {
    const v = figure(state.historyMetric, row);
    return type === "log" ? Math.log(v) : v;
  });
  const low = scaled.reduce((a, b) => Math.min(a, b)),
    high = scaled.reduce((a, b) => Math.max(a, b));
  const seen = new Set();
  return rows.filter((row, i) => {
    const key = `${text("round", row)} ${text("benchmark", row)} ${isOwn(row)} ${Math.round(((scaled[i] - low) / (high - low || 1)) * 70)}`;
    return seen.has(key) ? false : seen.add(key);
  });
}

/** The choosers above the plot. */
function renderHistoryBar(state, change) {
  const boards = boardsByRounds(state.benchmark);
  const has = (name) => boards.some(([board]) => board === name);
  if (!has(state.board)) state.board = has(HOME_BOARD) ? HOME_BOARD : boards.length ? boards[0][0] : "";
  byId("history-bar").replaceChildren(
    picker("board", "Board", boards, state.board, (value) => change({ board: value })),
    picker(
      "history-metric",
      "Figure",
      figures.map((column) => [column.id, withUnit(column.id)]),
      state.historyMetric,
      (value) => change({ historyMetric: value }),
    ),
  );
}
