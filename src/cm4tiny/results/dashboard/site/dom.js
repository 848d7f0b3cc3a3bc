// SPDX-License-Identifier: Apache-2.0
// Elements from text: nothing here ever parses HTML, so a hostile name stays a name.

const byId = (id) => document.getElementById(id);

/** An element with attributes (functions become listeners) and children (texts or nodes). */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** A <select> of [value, title] pairs. */
function picker(id, title, options, value, onChange) {
  const select = el("select", { id, change: (event) => onChange(event.target.value) });
  for (const [key, text] of options) select.append(el("option", { value: key, selected: key === value }, text));
  return el("label", {}, title, select);
}

const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 3 });
const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

/** A human-readable figure: up to three decimals, four digits below one. */
const format = (value) => (value === null || value === undefined ? "–" : Math.abs(value) >= 1 ? fine.format(value) : small.format(value));
