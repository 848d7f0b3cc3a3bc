// SPDX-License-Identifier: Apache-2.0
// Selecting results and finding the Pareto front. The same rules in Python: cm4tiny/results/dashboard/query.py.

const FACETS = ["round", "core", "board", "framework_family", "submitter", "division", "label", "quality_target_met"];

/** Rows that the state asks for, and for each facet how many rows each of its texts would give (`counts` false: not needed). */
function select(state, counts = true) {
  const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  const rules = state.constraints.filter((rule) => Number.isFinite(rule.value));
  const facets = FACETS.filter((id) => COLUMNS.has(id)).map((id) => facetOf(id, state.facets[id]));
  const asked = facets.filter((facet) => facet.allowed);
  const benchmark = COLUMNS.get("benchmark");
  const wanted = state.benchmark ? benchmark.dictionary.indexOf(state.benchmark) : -1;
  const rows = [];
  for (let row = 0; row < ROWS; row++) {
    if (state.benchmark && benchmark.index[row] !== wanted) continue;
    if (!rules.every((rule) => meets(rule, row))) continue;
    if (words.length && !words.every((word) => haystack(row).includes(word))) continue;
    let refusals = 0,
      refusing = null;
    for (const facet of asked)
      if (!facet.allowed[facet.index[row]]) {
        refusals += 1;
        refusing = facet;
      }
    if (refusals === 0) rows.push(row);
    if (!counts || refusals > 1) continue;
    if (refusing) refusing.counts[refusing.index[row]] += 1;
    else for (const facet of facets) facet.counts[facet.index[row]] += 1;
  }
  const tally = ({ counts: n, dictionary }) => new Map(dictionary.map((name, i) => [name, n[i]]));
  return { rows, counts: counts ? Object.fromEntries(facets.map((facet) => [facet.id, tally(facet)])) : null };
}

/** A facet ready for counting; `allowed` says which of its texts were chosen, null if none was. */
function facetOf(id, chosen) {
  const { dictionary, index } = COLUMNS.get(id);
  const allowed = chosen && chosen.size ? Uint8Array.from(dictionary, (name) => (chosen.has(name) ? 1 : 0)) : null;
  return { id, dictionary, index, allowed, counts: new Int32Array(dictionary.length) };
}

function meets(rule, row) {
  const value = figure(rule.column, row);
  if (value === null || value === undefined) return false;
  return rule.sense === ">=" ? value >= rule.value : value <= rule.value;
}

/** The objectives that have a better side; an empty list if one of them has none. */
function objectivesOf(state) {
  const ids = [state.x, state.y, state.z].filter(Boolean);
  const objectives = [...new Set(ids)].map((id) => ({ id, better: COLUMNS.get(id).better }));
  return objectives.every((objective) => objective.better) ? objectives : [];
}

const misses = (row) => text("quality_target_met", row) === "no";

/** The rows that may be on the front, and how many are left out because they miss the quality target. What is not judged stays. */
function candidates(state, rows, objectives) {
  const whole = rows.filter((row) => objectives.every(({ id }) => hasFigure(id, row)));
  const eligible = state.judge ? whole.filter((row) => !misses(row)) : whole;
  return { eligible, excluded: whole.length - eligible.length };
}

/** The rows that no row of the same benchmark beats. */
function pareto(rows, objectives) {
  const columns = objectives.map(({ id, better }) => ({ values: COLUMNS.get(id).values, sign: better === "less" ? 1 : -1 }));
  const groups = new Map(),
    benchmark = COLUMNS.get("benchmark");
  for (const row of rows) {
    const costs = [];
    for (const { values, sign } of columns) {
      const value = values[row];
      if (value !== null && value !== undefined) costs.push(sign * value);
    }
    if (costs.length < columns.length) continue;
    const group = benchmark ? benchmark.index[row] : 0;
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push({ row, costs });
  }
  const kept = new Uint8Array(ROWS);
  for (const group of groups.values()) for (const point of front(group)) kept[point.row] = 1;
  return rows.filter((row) => kept[row]);
}

/** In order of cost a point can only be beaten by one before it. */
function front(points) {
  const found = [];
  points.sort((a, b) => {
    for (let i = 0; i < a.costs.length; i++) if (a.costs[i] !== b.costs[i]) return a.costs[i] - b.costs[i];
    return a.row - b.row;
  });
  for (const point of points) if (!found.some((other) => beats(other.costs, point.costs))) found.push(point);
  return found;
}

/** As good in everything, and better in something. */
function beats(one, other) {
  let better = false;
  for (let i = 0; i < one.length; i++) {
    if (one[i] > other[i]) return false;
    if (one[i] < other[i]) better = true;
  }
  return better;
}
