// SPDX-License-Identifier: Apache-2.0
// The comparison: any figure against any other, with the Pareto front.

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
    const colorIndex = (row) => place.get(shade(state.color, row)) ?? colors.domain.length - 1;
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
  const ownRows = shown.filter(isOwn);
  const style = { own: scope.own, line: objectivesOf(state).length === 2, title: plotTitle(state, shown, ownRows) };
  const data = {
    points: visible(scope.own ? shown.filter((row) => !isOwn(row)) : shown, scope.cells).map(point),
    ...(scope.own ? { own: ownRows.map(point), named: namedPoints(ownRows, state, types, shown).map((one) => ({ ...point(one.row), ...one })) } : {}),
    front: frontRows.map(point),
  };
  const size = `${widthOf("plot") > 560}${widthOf("plot") > 720}`;
  const key = JSON.stringify([state.x, state.y, state.color, colors, types, style, theme(), size]);
  return plot.show(key, () => comparisonSpec(state, style, colors, types), data, label);
}

const MOST_NAMED = 8; // own points that carry their marks as a text; of more, one for each different text

/** The own rows whose points carry a text. */
function withText(ownRows) {
  const seen = new Set();
  return ownRows.length > MOST_NAMED ? ownRows.filter((row) => !seen.has(marks(row)) && seen.add(marks(row))) : ownRows;
}

/** Own points with a text next to them: on which side of the point it fits. */
function namedPoints(ownRows, state, types, shown) {
  const some = withText(ownRows);
  const value = (row) => (types.x.type === "log" ? Math.log(figure(state.x, row)) : figure(state.x, row));
  const all = shown.map(value);
  const middle = (all.reduce((a, b) => Math.min(a, b), Infinity) + all.reduce((a, b) => Math.max(a, b), -Infinity)) / 2;
  return some.map((row) => ({ row, mark: marks(row), right: value(row) > middle }));
}

/** The two text layers for such points: the text on a halo, so that it can be read across other points. */
function namesLayers(x, y) {
  const side = (left, right) => ({ expr: `datum.right ? ${right} : ${left}` });
  const c = PALETTE[theme()];
  const encoding = { x, y, text: { field: "mark" } };
  const mark = { type: "text", align: side("'left'", "'right'"), dx: side("11", "-11"), fontSize: 11, fontWeight: 600 };
  return [
    { data: { name: "named" }, mark: { ...mark, stroke: c.halo, strokeWidth: 4, strokeJoin: "round", color: c.halo }, encoding },
    { data: { name: "named" }, mark: { ...mark, color: c.ink }, encoding },
  ];
}

/** What every point of the plot is: it is part of the picture, so that it is in the saved file too. */
function plotTitle(state, shown, ownRows) {
  const groups = new Map();
  for (const row of ownRows) {
    const key = labels(row);
    groups.set(key, (groups.get(key) || new Set()).add(text("benchmark", row)));
  }
  const texts = [...groups].map(([words, benchmarks]) => `${[...benchmarks].sort().join(", ")}, own run: ${words}`).sort();
  const lines = texts.slice(0, MOST_NAMED);
  if (texts.length > lines.length) lines.push(`and ${texts.length - lines.length} more own runs: the saved table has their labels`);
  const published = shown.filter((row) => !isOwn(row)).map(labels);
  if (published.length) {
    const all = published.every((one) => one.startsWith("measured by the submitter"));
    lines.unshift(`Points: ${all ? "measured by their submitters" : "as their labels say"}; board, supply voltage and clock differ.`);
  }
  const objectives = objectivesOf(state);
  const excluded = objectives.length ? leftOut(candidates(state, shown, objectives).excluded).trim() : "";
  if (excluded) lines.push(`Rings: the Pareto front. ${excluded}`);
  return lines.flatMap((line) => wrapped(line, Math.max(40, Math.floor((widthOf("plot") - 60) / 6))));
}

/** A text in lines of at most so many characters. */
function wrapped(line, most) {
  const lines = [];
  for (const word of line.split(" ")) {
    const last = lines.length - 1;
    if (last >= 0 && lines[last].length + word.length < most) lines[last] += ` ${word}`;
    else lines.push(word);
  }
  return lines;
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
  const color = { field: "color", type: "nominal", scale: colors, legend: { title: named(state.color), labelExpr: LINES } };
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
    layers.push(...namesLayers(x, y));
  }
  if (scope.line) {
    layers.unshift({
      data: { name: "front" },
      mark: { type: "line", strokeWidth: 1.3, strokeDash: [5, 4], color: c.front, opacity: 0.6 },
      encoding: { x, y, detail: { field: "benchmark" }, order: { field: "x", type: "quantitative" } },
    });
  }
  const text = wrapped(`${named(state.y)} against ${named(state.x)}`, Math.floor((widthOf("plot") - 90) / 7));
  const title = { text, subtitle: scope.title, anchor: "start", frame: "group" };
  return { data: { name: "points" }, title, width: "container", height: widthOf("plot") > 560 ? 430 : 330, layer: layers };
}
