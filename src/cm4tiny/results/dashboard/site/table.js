// SPDX-License-Identifier: Apache-2.0
// The table of results: only the rows in sight are in the page, so ten thousand scroll as one hundred do.

const ROW_HEIGHT = 34;
const MARGIN = 12;
const WIDTHS = {
  round: 80,
  benchmark: 84,
  submitter: 118,
  board: 190,
  label: 190,
  conditions: 420,
  division: 104,
  model_error: 380,
  differs: 330,
  core: 104,
  framework_family: 136,
  throughput_inf_per_s: 112,
  latency_ms: 92,
  energy_uj_per_inf: 100,
  accuracy_pct: 84,
  quality_target_met: 76,
  supply_v: 76,
  frequency_mhz: 76,
};

const WRAPPED = ["board", "label", "conditions", "model_error", "differs"]; // labels take two lines rather than being cut off

class Table {
  constructor(node, onOpen, onSort) {
    Object.assign(this, {
      node,
      onOpen,
      onSort,
      rows: [],
      columns: [],
      front: new Set(),
      active: 0,
      first: -1,
      top: 0,
      height: 612,
      heading: "",
    });
    node.addEventListener("scroll", () => {
      this.top = node.scrollTop;
      this.draw(false);
    });
    node.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(([entry]) => {
      this.height = entry.contentRect.height || this.height;
      this.draw(false);
    }).observe(node);
  }

  /** Shows rows with columns; keeps the place if the rows are the same. */
  show(rows, columns, front, sort) {
    const before = this.rows[this.active];
    const after = rows.indexOf(before);
    this.active = after < 0 ? 0 : after;
    Object.assign(this, { rows, columns, front: new Set(front), sort });
    this.node.hidden = rows.length === 0;
    this.node.setAttribute("aria-rowcount", rows.length + 1);
    this.node.setAttribute("aria-colcount", columns.length + 1);
    const heading = JSON.stringify([columns, sort]);
    if (heading !== this.heading) this.head();
    this.heading = heading;
    this.draw(true);
  }

  head() {
    const cells = this.columns.map((id) => {
      const { title, unit, kind } = COLUMNS.get(id);
      const sorted = this.sort.column === id;
      const arrow = sorted ? (this.sort.descending ? " ▾" : " ▴") : "";
      return el(
        "th",
        {
          scope: "col",
          role: "columnheader",
          class: kind === "number" ? "num" : null,
          "aria-sort": sorted ? (this.sort.descending ? "descending" : "ascending") : "none",
        },
        el(
          "button",
          { type: "button", class: kind === "number" ? "num" : "", "data-sort": id, click: () => this.onSort(id) },
          el("span", {}, title + arrow),
          unit ? el("span", { class: "u" }, unit) : null,
        ),
      );
    });
    const widths = this.columns.map((id) => (Object.hasOwn(WIDTHS, id) ? WIDTHS[id] : COLUMNS.get(id).kind === "number" ? 98 : 140));
    this.body = el("tbody", { role: "rowgroup" });
    const groups = [34, ...widths].map((width) => {
      const col = el("col");
      col.style.width = `${width}px`;
      return col;
    });
    const table = el(
      "table",
      { role: "presentation" },
      el("colgroup", {}, ...groups),
      el(
        "thead",
        { role: "rowgroup" },
        el(
          "tr",
          { role: "row", "aria-rowindex": 1 },
          el("th", { role: "columnheader", class: "star", "aria-label": "On the Pareto front" }, ""),
          ...cells,
        ),
      ),
      this.body,
    );
    table.style.minWidth = `${34 + widths.reduce((sum, width) => sum + width, 0)}px`;
    const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.sort : undefined;
    this.node.replaceChildren(table);
    if (focused) {
      const again = this.node.querySelector(`[data-sort="${focused}"]`);
      if (again) again.focus();
    }
  }

  draw(always) {
    if (!this.body) return;
    const first = Math.max(0, Math.floor(Math.min(this.top, this.rows.length * ROW_HEIGHT) / ROW_HEIGHT) - MARGIN);
    const last = Math.min(this.rows.length, first + Math.ceil(this.height / ROW_HEIGHT) + 2 * MARGIN);
    if (!always && first === this.first && last === this.last) return;
    Object.assign(this, { first, last });
    const gap = (count) => {
      const row = el("tr", { class: "gap", "aria-hidden": "true" }, el("td", { colspan: this.columns.length + 1 }));
      row.style.height = `${count * ROW_HEIGHT}px`;
      return row;
    };
    const shown = this.rows.slice(first, last).map((row, offset) => this.row(row, first + offset));
    this.body.replaceChildren(gap(first), ...shown, gap(this.rows.length - last));
    this.mark();
  }

  row(row, place) {
    const cells = this.columns.map((id) => {
      if (COLUMNS.get(id).kind === "number") return el("td", { role: "gridcell", class: "num" }, format(figure(id, row)));
      const value = text(id, row);
      return el(
        "td",
        { role: "gridcell", title: value, class: id === "quality_target_met" && value === "no" ? "bad" : WRAPPED.includes(id) ? "wrap" : null },
        value || "–",
      );
    });
    const star = el(
      "td",
      { role: "gridcell", class: "star", "aria-label": this.front.has(row) ? "on the Pareto front" : null },
      this.front.has(row) ? "◆" : "",
    );
    return el(
      "tr",
      {
        class: "row",
        role: "row",
        id: `row-${place}`,
        "aria-rowindex": place + 2,
        click: () => {
          this.active = place;
          this.mark();
          this.onOpen(row);
        },
      },
      star,
      ...cells,
    );
  }

  mark() {
    for (const row of this.body.querySelectorAll(".row"))
      row.classList.toggle("active", row.id === `row-${this.active}` && document.activeElement === this.node);
    if (this.rows.length) this.node.setAttribute("aria-activedescendant", `row-${this.active}`);
  }

  key(event) {
    if (event.target !== this.node || !this.rows.length) return;
    const page = Math.max(1, Math.floor(this.node.clientHeight / ROW_HEIGHT) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.rows.length, End: this.rows.length };
    if (event.key === "Enter") this.onOpen(this.rows[this.active]);
    else if (event.key in steps) this.go(Math.min(this.rows.length - 1, Math.max(0, this.active + steps[event.key])));
    else return;
    event.preventDefault();
  }

  go(place) {
    this.active = place;
    const head = 58,
      top = place * ROW_HEIGHT,
      { scrollTop, clientHeight } = this.node;
    if (top < scrollTop) this.node.scrollTop = top;
    else if (top + ROW_HEIGHT + head > scrollTop + clientHeight) this.node.scrollTop = top + ROW_HEIGHT + head - clientHeight;
    this.draw(false);
    this.mark();
  }
}

const orders = new Map();
/** All rows in the order of a column, made once; what is not known comes last. */
function orderOf({ column, descending }) {
  const key = `${column} ${descending}`;
  if (!orders.has(key)) {
    const sign = descending ? -1 : 1;
    const value = COLUMNS.get(column).kind === "number" ? (row) => figure(column, row) ?? null : (row) => text(column, row) || null;
    const compare = column === "round" ? byRound : (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    const keys = Array.from({ length: ROWS }, (_, row) => value(row));
    const order = Array.from({ length: ROWS }, (_, row) => row).sort((a, b) => {
      const x = keys[a],
        y = keys[b];
      if (x === null || y === null) return x === y ? a - b : x === null ? 1 : -1;
      return sign * compare(x, y) || a - b;
    });
    orders.set(key, order);
  }
  return orders.get(key);
}

/** Some rows in the order that the headings ask for. */
function sorted(rows, sort) {
  const chosen = new Uint8Array(ROWS);
  for (const row of rows) chosen[row] = 1;
  return orderOf(sort).filter((row) => chosen[row]);
}

/** The list of columns to show. */
function renderColumns(state, change) {
  const all = [...COLUMNS.values()].map(({ id }) =>
    el(
      "label",
      { class: "option" },
      el("input", {
        type: "checkbox",
        value: id,
        checked: state.shown.includes(id),
        change: (event) => {
          state.shown = event.target.checked ? [...state.shown, id] : state.shown.filter((one) => one !== id);
          change({});
        },
      }),
      el("span", {}, withUnit(id)),
    ),
  );
  byId("columns").replaceChildren(...all);
}
