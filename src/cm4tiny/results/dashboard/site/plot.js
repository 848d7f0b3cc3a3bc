// SPDX-License-Identifier: Apache-2.0
// A plot by Vega-Lite. Filtering swaps the data of a running view; another axis, colour or theme makes a new view.

/**
 * A plot in a node: makes a view when `key` changes, else only swaps its data sets. One update runs at a time; of those that come meanwhile
 * only the newest is kept.
 */
class Plot {
  constructor(node, onOpen) {
    Object.assign(this, { node, onOpen, view: null, key: "", busy: null, next: null });
  }

  show(key, spec, data, label) {
    if (this.busy) {
      this.next = [key, spec, data, label];
      return this.busy;
    }
    this.busy = this.draw(key, spec, data).then(() => {
      this.node.setAttribute("role", "img"); // Vega names its own role and label
      this.node.setAttribute("aria-label", label);
      this.busy = null;
      const next = this.next;
      this.next = null;
      return next ? this.show(...next) : undefined;
    });
    return this.busy;
  }

  async draw(key, spec, data) {
    if (this.view && key === this.key) {
      for (const [name, rows] of Object.entries(data)) this.view.data(name, rows);
      await this.view.runAsync();
      return;
    }
    if (this.view) this.view.finalize();
    const options = {
      actions: false,
      logLevel: 1,
      renderer: "canvas",
      ast: true,
      defaultStyle: false,
      tooltip: false,
      config: config(widthOf(this.node.id)),
      loader: { load: async () => "" },
    };
    const { view } = await vegaEmbed(
      this.node,
      { $schema: "https://vega.github.io/schema/vega-lite/v6.json", ...spec(), datasets: data },
      options,
    );
    Object.assign(this, { view, key });
    view.addEventListener("click", (event, item) => {
      if (item && item.datum && item.datum.row !== undefined) this.onOpen(item.datum.row);
    });
    view.addEventListener("mousemove", (event, item) => showTip(event, item && item.datum));
    view.addEventListener("mouseout", () => showTip(null, null));
  }
}

/** What a point is, next to the pointer. */
function showTip(event, datum) {
  const tip = byId("tip");
  tip.hidden = !datum || datum.row === undefined;
  if (tip.hidden) return;
  const lines = datum.metrics.map((id) => el("div", {}, `${named(id)}: ${format(figure(id, datum.row))} ${COLUMNS.get(id).unit}`));
  tip.replaceChildren(el("b", {}, caption(datum.row)), ...lines, el("div", { class: "labels" }, labels(datum.row)));
  const { clientX, clientY } = event;
  tip.style.left = `${Math.min(clientX + 14, window.innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${clientY + tip.offsetHeight + 22 > window.innerHeight ? clientY - tip.offsetHeight - 10 : clientY + 16}px`;
}
