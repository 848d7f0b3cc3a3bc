// SPDX-License-Identifier: Apache-2.0
// What the user asked for; kept in the address (after #), so that a view can be bookmarked.

const SHOWN = [
  "round",
  "label",
  "submitter",
  "board",
  "throughput_inf_per_s",
  "latency_ms",
  "energy_uj_per_inf",
  "supply_v",
  "accuracy_pct",
  "quality_target_met",
  "frequency_mhz",
  "division",
  "core",
  "framework_family",
  "model_error",
  "differs",
];
const own = figures.filter((column) => column.own).map((column) => column.id);

function initialState() {
  const has = (id, other) => (COLUMNS.has(id) ? id : other);
  return {
    benchmark: sameTexts("benchmark").includes("kws") ? "kws" : "",
    facets: {},
    search: "",
    constraints: fixedConstraints().map((rule) => ({ ...rule })),
    x: has("latency_ms", figures[0].id),
    y: has("energy_uj_per_inf", figures[0].id),
    z: "",
    judge: true,
    color: "round",
    sort: { column: has("throughput_inf_per_s", "round"), descending: true },
    shown: [...SHOWN.filter((id) => COLUMNS.has(id)), ...own],
    board: "",
    historyMetric: has("throughput_inf_per_s", figures[0].id),
  };
}

/** The constraints that are always offered: what MLPerf Tiny users ask for first, and every column of the user's own. */
function fixedConstraints() {
  const rules = [
    ["accuracy_pct", ">="],
    ["energy_uj_per_inf", "<="],
    ["latency_ms", "<="],
    ["memory_kib", "<="],
  ];
  for (const id of own) rules.push([id, COLUMNS.get(id).better === "more" ? ">=" : "<="]);
  return rules.filter(([id]) => COLUMNS.has(id)).map(([column, sense]) => ({ column, sense, value: NaN, fixed: true }));
}

function stateToHash(state) {
  const first = initialState();
  const parts = new URLSearchParams();
  for (const key of ["benchmark", "search", "x", "y", "z", "color", "board", "historyMetric"])
    if (state[key] !== first[key]) parts.set(key, state[key]);
  if (!state.judge) parts.set("judge", "no");
  for (const [id, chosen] of Object.entries(state.facets)) for (const value of chosen) parts.append(`is.${id}`, value);
  for (const rule of state.constraints) if (Number.isFinite(rule.value)) parts.append("if", `${rule.column}${rule.sense}${rule.value}`);
  return parts.toString();
}

function stateFromHash(hash) {
  const state = initialState();
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const isFigure = (id) => COLUMNS.has(id) && COLUMNS.get(id).kind === "number";
  for (const key of ["x", "y", "historyMetric"]) if (isFigure(parts.get(key))) state[key] = parts.get(key);
  if (isFigure(parts.get("z"))) state.z = parts.get("z");
  if (COLORS.includes(parts.get("color"))) state.color = parts.get("color");
  for (const key of ["benchmark", "board"]) {
    const value = parts.get(key);
    if (value !== null && (value === "" || sameTexts(key).includes(value))) state[key] = value;
  }
  state.judge = parts.get("judge") !== "no";
  state.search = (parts.get("search") || "").slice(0, 200);
  for (const id of FACETS) {
    const values = parts.getAll(`is.${id}`).filter((value) => sameTexts(id).includes(value));
    if (values.length) state.facets[id] = new Set(values);
  }
  for (const rule of parts.getAll("if")) {
    const found = /^(\w+)(>=|<=)(-?[\d.]+(?:e[-+]?\d+)?)$/.exec(rule);
    if (found && isFigure(found[1])) setConstraint(state, found[1], found[2], Number(found[3]));
  }
  return state;
}

function setConstraint(state, column, sense, value) {
  const rule = state.constraints.find((one) => one.column === column && one.sense === sense);
  if (rule) rule.value = value;
  else state.constraints.push({ column, sense, value, fixed: false });
}

/** How many filters are set. */
const activeFilters = (state) =>
  (state.search ? 1 : 0) +
  Object.values(state.facets).filter((set) => set.size).length +
  state.constraints.filter((rule) => Number.isFinite(rule.value)).length;
