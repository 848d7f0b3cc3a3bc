// SPDX-License-Identifier: Apache-2.0
// The Pareto front as a list.

const SHOWN_AT_MOST = 200;

/** What the front leaves out, as a text. */
function leftOut(count) {
  if (!count) return "";
  return count === 1 ? " 1 result misses the quality target and is left out." : ` ${count} results miss the quality target and are left out.`;
}

function renderFront(state, rows, excluded, onOpen) {
  const objectives = objectivesOf(state);
  const node = byId("front"),
    note = byId("front-note");
  if (!objectives.length) {
    const neutral = [state.x, state.y]
      .filter((id) => !COLUMNS.get(id).better)
      .map(named)
      .join(" and ");
    note.textContent = `No front: ${neutral} has no better side. Choose figures of which more or less is better.`;
    node.replaceChildren();
    return;
  }
  if (!rows.length) {
    note.textContent = `No result that meets the filters has all of: ${objectives.map(({ id }) => named(id)).join(", ")}.${leftOut(excluded)}`;
    node.replaceChildren();
    return;
  }
  const words = objectives.map(({ id, better }) => `${better} ${named(id)}`).join(", ");
  const within = state.benchmark ? "" : " Results are compared within their benchmark.";
  note.textContent = `${rows.length} ${rows.length === 1 ? "result is" : "results are"} not beaten in all of: ${words}.${within}${leftOut(excluded)}`;
  const ids = objectives.map(({ id }) => id);
  const ordered = sorted(rows, { column: ids[0], descending: objectives[0].better === "more" });
  const head = el(
    "tr",
    {},
    el("th", { scope: "col" }, "result"),
    ...(state.benchmark ? [] : [el("th", { scope: "col" }, "benchmark")]),
    ...ids.map((id) => el("th", { scope: "col", class: "num" }, withUnit(id))),
  );
  const lines = ordered
    .slice(0, SHOWN_AT_MOST)
    .map((row) =>
      el(
        "tr",
        {},
        el(
          "td",
          {},
          el("button", { type: "button", "data-front": row, click: () => onOpen(row) }, caption(row)),
          el("span", { class: "muted" }, [text("system", row), text("variant", row)].filter(Boolean).join(" ")),
          el("span", { class: "muted labels" }, [labels(row), text("differs", row)].filter(Boolean).join("; ")),
        ),
        ...(state.benchmark ? [] : [el("td", {}, text("benchmark", row))]),
        ...ids.map((id) => el("td", { class: "num" }, format(figure(id, row)))),
      ),
    );
  node.replaceChildren(el("table", {}, el("thead", {}, head), el("tbody", {}, ...lines)));
  if (rows.length > SHOWN_AT_MOST) note.textContent += ` The first ${SHOWN_AT_MOST} are listed; the saved table marks all.`;
}
