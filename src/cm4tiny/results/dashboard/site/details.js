// SPDX-License-Identifier: Apache-2.0
// Everything about one result.

function openDetails(row, onHistory) {
  const dialog = byId("details");
  const known = [...COLUMNS.values()]
    .map((column) => [column, column.kind === "number" ? figure(column.id, row) : text(column.id, row)])
    .filter(([, value]) => value !== null && value !== undefined && value !== "");
  const list = (kind) =>
    el(
      "dl",
      {},
      ...known
        .filter(([column]) => column.kind === kind)
        .flatMap(([column, value]) => [
          el("dt", {}, column.title),
          el("dd", {}, kind === "number" ? `${format(value)} ${column.unit}` : value),
        ]),
    );
  const division = text("division", row) === "none claimed" ? "no division claimed" : text("division", row);
  const tags = [text("benchmark", row), text("round", row), division, isPublished(row) ? "" : marks(row)].filter(Boolean);
  const board = text("board", row);
  dialog.replaceChildren(
    el(
      "div",
      { class: "card-head" },
      el(
        "div",
        {},
        el("h2", { id: "details-title" }, caption(row)),
        el("p", {}, ...tags.map((tag, i) => el("span", { class: isOwn(row) && i > 0 ? "tag own" : "tag" }, tag))),
      ),
      el("button", { type: "button", "aria-label": "Close", autofocus: true, click: () => dialog.close() }, "×"),
    ),
    el("p", { class: "labels" }, labels(row)),
    ...notes(row).map((note) => el("p", { class: "note" }, note)),
    el("h3", {}, "Figures"),
    list("number"),
    el("h3", {}, "Evidence"),
    evidence(row),
    el("h3", {}, "Audit"),
    findings(row),
    el("h3", {}, "System"),
    list("text"),
    ...(board
      ? [
          el(
            "p",
            {},
            el(
              "button",
              {
                type: "button",
                click: () => {
                  dialog.close();
                  onHistory(board);
                },
              },
              `${board} over the rounds`,
            ),
          ),
        ]
      : []),
  );
  dialog.showModal();
  dialog.scrollTop = 0;
}

function evidence(row) {
  const links = DATA.links[row].filter(([, address]) => /^(https|file):\/\//.test(address));
  if (!links.length) return el("p", { class: "muted" }, "No link.");
  return el(
    "ul",
    {},
    ...links.map(([title, address]) => el("li", {}, el("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, title))),
  );
}

function findings(row) {
  if (!DATA.audited.length) return el("p", { class: "muted" }, "No audit was given when this page was built.");
  if (!DATA.audited.includes(text("round", row))) return el("p", { class: "muted" }, "The audit did not cover this result.");
  const found = DATA.findings[row];
  if (!found.length) return el("p", { class: "muted" }, "Nothing found.");
  return el(
    "ul",
    {},
    ...found.map(([severity, rule, path, message]) =>
      el(
        "li",
        {},
        el("span", { class: `severity-${severity}` }, severity),
        ` ${message} `,
        el("span", { class: "muted small" }, `${rule}, ${path}`),
      ),
    ),
  );
}
