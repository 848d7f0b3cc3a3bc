// The comparison: any figure against any other, with the Pareto front.

const hasFigure = (column, row) => {
  const value = figure(column, row);
  return value !== null && value !== undefined;
};

const CROWD = 2000; // results above which only one of those that lie close together is drawn
const CELL = 9; // pixels, the width of a point; cells grow until about that many points are left

/** For each row which cell of the plot it lies in, a number for each cell and colour. */
function cellsOf(state, rows, types, colorIndex) {
  const places = (id, { type }) => {
    const scaled = rows.map((row) => (type === "log" ? Math.log(figure(id, row)) : figure(id, row)));
    const low = scaled.reduce((a, b) => Math.min(a, b), Infinity),
      high = scaled.reduce((a, b) => Math.max(a, b), -Infinity);
    return scaled.map((value) => (value - low) / (high - low || 1));
  };
  const across = places(state.x, types.x),
    up = places(state.y, types.y);
  const cells = new Float64Array(ROWS);
  for (let size = CELL, different = Infinity; different > CROWD && size < 100; size *= 1.25) {
    const wide = widthOf("plot") / size,
      high = 430 / size;
    rows.forEach((row, i) => {
      cells[row] = (Math.round(across[i] * wide) * 1000 + Math.round(up[i] * high)) * 64 + colorIndex(row);
    });
    different = new Set(rows.map((row) => cells[row])).size;
  }
  return cells;
}

let scopeKey = "",
  scopeKept = null;
/** What depends on the benchmark but not on the filters: colours, scale types, whether own runs take part, cells of crowded plots. */
function scopeOf(state) {
  const key = JSON.stringify([state.benchmark, state.x, state.y, state.color, theme(), widthOf("plot")]);
  if (key !== scopeKey) {
    const rows = [];
    for (let row = 0; row < ROWS; row++) if (!state.benchmark || text("benchmark", row) === state.benchmark) rows.push(row);
    const drawable = rows.filter((row) => hasFigure(state.x, row) && hasFigure(state.y, row));
    const types = { x: scaleOf(state.x, rows), y: scaleOf(state.y, rows) };
    const colors = colorScale(state.color, drawable);
    const place = new Map(colors.domain.map((name, i) => [name, i]));
    const colorIndex = (row) => place.get(text(state.color, row)) ?? colors.domain.length - 1;
    const cells = drawable.length > CROWD ? cellsOf(state, drawable, types, colorIndex) : null;
    scopeKept = { colors, types, own: rows.some(isOwn), colorIndex, cells };
    scopeKey = key;
  }
  return scopeKept;
}

/** Of very many rows only those whose points can be seen. */
function visible(rows, cells) {
  if (!cells || rows.length <= CROWD) return rows;
  const seen = new Set();
  return rows.filter((row) => !seen.has(cells[row]) && seen.add(cells[row]));
}

/** Draws the comparison of the selected rows. */
function drawComparison(plot, state, rows, frontRows) {
  const node = byId("plot"),
    empty = byId("plot-empty");
  const scope = scopeOf(state),
    { colors, types } = scope;
  const shown = rows.filter((row) => hasFigure(state.x, row) && hasFigure(state.y, row));
  empty.hidden = shown.length > 0;
  node.hidden = shown.length === 0;
  empty.textContent = rows.length
    ? `None of the ${rows.length} results has both ${named(state.x)} and ${named(state.y)}.`
    : "No result meets the filters.";
  byId("plot-note").textContent = plotNote(rows, shown);
  const label = `${withUnit(state.y)} against ${withUnit(state.x)}: ${shown.length} results, ${frontRows.length} on the Pareto front`;
  if (!shown.length) return Promise.resolve();
  const metrics = [...new Set([state.x, state.y, state.z].filter(Boolean))];
  const point = (row) => ({
    row,
    x: figure(state.x, row),
    y: figure(state.y, row),
    color: colors.domain[scope.colorIndex(row)],
    benchmark: text("benchmark", row),
    metrics,
  });
  const style = { own: scope.own, line: objectivesOf(state).length === 2 };
  const data = {
    points: visible(scope.own ? shown.filter((row) => !isOwn(row)) : shown, scope.cells).map(point),
    ...(scope.own ? { own: shown.filter(isOwn).map(point) } : {}),
    front: frontRows.map(point),
  };
  const size = `${widthOf("plot") > 560}${widthOf("plot") > 720}`;
  const key = JSON.stringify([state.x, state.y, state.color, colors, types, style, theme(), size]);
  return plot.show(key, () => comparisonSpec(state, style, colors, types), data, label);
}

function plotNote(rows, shown) {
  const parts = [];
  if (shown.some(isOwn)) parts.push("Diamonds are your own runs.");
  if (shown.length && shown.length < rows.length) parts.push(`${shown.length} of ${rows.length} results have both figures and are shown.`);
  if (shown.length > CROWD) parts.push("Of points that lie together one is drawn.");
  return parts.join(" ");
}

/** The comparison: points, the front's points ringed, and a line through the front where it has two objectives. */
function comparisonSpec(state, scope, colors, types) {
  const c = PALETTE[theme()];
  const x = { ...axis(state.x, types.x), field: "x" };
  const y = { ...axis(state.y, types.y), field: "y" };
  const color = { field: "color", type: "nominal", scale: colors, legend: { title: named(state.color) } };
  const layers = [
    { mark: { type: "point", filled: true, size: 64, opacity: 0.82, cursor: "pointer" }, encoding: { x, y, color } },
    {
      data: { name: "front" },
      mark: { type: "point", filled: false, size: 200, strokeWidth: 1.8, color: c.front, cursor: "pointer" },
      encoding: { x, y },
    },
  ];
  if (scope.own) {
    layers.splice(1, 0, {
      data: { name: "own" },
      mark: { type: "point", filled: true, shape: "diamond", size: 190, opacity: 0.95, stroke: c.front, strokeWidth: 1, cursor: "pointer" },
      encoding: { x, y, color },
    });
  }
  if (scope.line) {
    layers.unshift({
      data: { name: "front" },
      mark: { type: "line", strokeWidth: 1.3, strokeDash: [5, 4], color: c.front, opacity: 0.6 },
      encoding: { x, y, detail: { field: "benchmark" }, order: { field: "x", type: "quantitative" } },
    });
  }
  return { data: { name: "points" }, width: "container", height: widthOf("plot") > 560 ? 430 : 330, layer: layers };
}
