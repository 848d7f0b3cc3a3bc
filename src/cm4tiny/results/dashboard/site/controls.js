// SPDX-License-Identifier: Apache-2.0
// Filters, constraints and choosers.

const FACET_TITLES = { label: "Figures are", quality_target_met: "Quality target met" };
const EMPTY = "(not given)";

function renderBenchmarks(state, change) {
  const present = BENCHMARKS.filter(([id]) => sameTexts("benchmark").includes(id));
  const buttons = [...present, ["", "All"]].map(([id, title]) =>
    el(
      "button",
      {
        type: "button",
        role: "radio",
        "data-benchmark": id,
        "aria-checked": String(state.benchmark === id),
        tabindex: state.benchmark === id ? 0 : -1,
        click: () => change({ benchmark: id }),
      },
      title,
    ),
  );
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = buttons[(buttons.indexOf(event.target) + step + buttons.length) % buttons.length];
    next.click();
    byId("benchmarks").querySelector('[aria-checked="true"]').focus();
  };
  const nav = byId("benchmarks");
  nav.onkeydown = move;
  nav.replaceChildren(...buttons);
}

function renderAxes(state, change) {
  const options = figures.map((column) => [column.id, withUnit(column.id)]);
  const third = [["", "none"], ...figures.filter((column) => column.better).map((column) => [column.id, withUnit(column.id)])];
  byId("axes").replaceChildren(
    picker("x", "X axis", options, state.x, (value) => change({ x: value })),
    picker("y", "Y axis", options, state.y, (value) => change({ y: value })),
    picker("z", "Third objective of the front", third, state.z, (value) => change({ z: value })),
    picker(
      "color",
      "Colour",
      COLORS.map((id) => [id, named(id)]),
      state.color,
      (value) => change({ color: value }),
    ),
    el(
      "label",
      { class: "check" },
      el("input", {
        id: "judge",
        type: "checkbox",
        checked: state.judge,
        change: (event) => change({ judge: event.target.checked }),
      }),
      "Leave what misses the quality target out of the front",
    ),
  );
}

/** One line per constraint; `change()` is called while the user types. */
function renderConstraints(state, change) {
  const lines = state.constraints.map((rule) => constraintLine(rule, state, change));
  const offered = figures.map((column) => [column.id, withUnit(column.id)]);
  const add = el(
    "select",
    {
      id: "add-constraint",
      "aria-label": "Add a constraint",
      change: (event) => {
        const column = event.target.value;
        state.constraints.push({ column, sense: COLUMNS.get(column).better === "more" ? ">=" : "<=", value: NaN, fixed: false });
        renderConstraints(state, change);
        byId("constraints").querySelector(".constraint:last-of-type input").focus();
      },
    },
    el("option", { value: "" }, "Add a constraint …"),
    ...offered.map(([id, title]) => el("option", { value: id }, title)),
  );
  byId("constraints").replaceChildren(...lines, add);
}

function constraintLine(rule, state, change) {
  const column = COLUMNS.get(rule.column);
  const word = rule.sense === ">=" ? "at least" : "at most";
  const input = el("input", {
    type: "number",
    step: "any",
    "aria-label": `${column.title} ${word}${column.unit ? `, ${column.unit}` : ""}`,
    "data-constraint": `${rule.column}${rule.sense}`,
    value: Number.isFinite(rule.value) ? rule.value : null,
    input: (event) => {
      rule.value = event.target.value === "" ? NaN : Number(event.target.value);
      event.target.setAttribute("aria-invalid", String(event.target.validity.badInput));
      change({});
    },
  });
  const sense = el(
    "button",
    {
      type: "button",
      class: "sense",
      title: "Swap at least and at most",
      click: () => {
        rule.sense = rule.sense === ">=" ? "<=" : ">=";
        renderConstraints(state, change);
        change({});
      },
    },
    rule.sense === ">=" ? "≥" : "≤",
  );
  sense.setAttribute("aria-label", `${column.title}: ${word}; swap`);
  const drop = rule.fixed
    ? el("span")
    : el(
        "button",
        {
          type: "button",
          class: "drop",
          "aria-label": `Remove the constraint on ${column.title}`,
          click: () => {
            state.constraints = state.constraints.filter((one) => one !== rule);
            renderConstraints(state, change);
            change({});
          },
        },
        "×",
      );
  const title = el("span", {}, column.title, column.unit ? el("span", { class: "unit" }, ` (${column.unit})`) : null);
  return el("div", { class: "constraint" }, title, sense, input, drop);
}

/** The check boxes of every facet, made once; `updateFacets` then sets their counts. */
function renderFacets(state, change) {
  const groups = FACETS.filter((id) => sameTexts(id).length > 1).map((id) => {
    const texts = [...sameTexts(id)].sort(id === "round" ? byRound : (a, b) => a.localeCompare(b, "en", { numeric: true }));
    const options = texts.map((value) => {
      const box = el("input", {
        type: "checkbox",
        "data-facet": id,
        value,
        change: (event) => {
          const chosen = (state.facets[id] ??= new Set());
          if (event.target.checked) chosen.add(value);
          else chosen.delete(value);
          change({});
        },
      });
      return el("label", { class: "option" }, box, el("span", {}, value || EMPTY), el("span", { class: "n" }));
    });
    const title = FACET_TITLES[id] || named(id).replace(/^./, (letter) => letter.toUpperCase());
    return el(
      "details",
      { class: "facet", "data-group": id, open: id === "round" },
      el("summary", {}, title, el("span", { class: "chosen" })),
      el("div", { class: "options", role: "group", "aria-label": title }, ...options),
    );
  });
  byId("facets").replaceChildren(...groups);
}

function updateFacets(state, counts) {
  for (const group of byId("facets").children) {
    const id = group.dataset.group,
      chosen = state.facets[id] || new Set();
    group.querySelector(".chosen").textContent = chosen.size ? ` · ${chosen.size}` : "";
    for (const option of group.querySelectorAll(".option")) {
      const box = option.firstChild,
        n = counts[id].get(box.value) || 0;
      box.checked = chosen.has(box.value);
      option.lastChild.textContent = n;
      option.className = n ? "option" : "option none";
    }
  }
}
