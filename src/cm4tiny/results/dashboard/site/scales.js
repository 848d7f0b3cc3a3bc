// SPDX-License-Identifier: Apache-2.0
// Colours, scales and looks of the plots.

const COLORS = ["round", "benchmark", "core", "framework_family", "submitter", "label"].filter((id) => COLUMNS.has(id));
const MOST_COLORS = 7;
const OTHER = "other";
// Okabe and Ito's colours, told apart with any colour vision; rounds are in order, so theirs get lighter or darker step by step.
const PALETTE = {
  light: {
    names: ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5c4b8a"],
    other: "#9aa3ad",
    front: "#1b1f24",
    rounds: ["#c9a800", "#79b83a", "#1fa187", "#277f8e", "#3f4f8f", "#440154"],
    ink: "#1b1f24",
    halo: "#ffffff",
    muted: "#59636e",
    line: "#e3e6ea",
  },
  dark: {
    names: ["#4aa3e0", "#ff8a4c", "#2fc79a", "#e39cc3", "#f2b632", "#8fd0f7", "#a694e0"],
    other: "#7d8792",
    front: "#ffffff",
    rounds: ["#8b6fc4", "#6189d8", "#3aa6b9", "#3fc58f", "#a5db5a", "#fde64b"],
    ink: "#e7eaee",
    halo: "#1b2026",
    muted: "#a3adb8",
    line: "#2a313a",
  },
};
const OWN_COLOR = { light: "#D55E00", dark: "#ff8a4c" };

/** Widths of the plots' nodes, kept here because asking the page for one makes it lay everything out. */
const widths = new Map();
const widthOf = (id) => {
  if (!widths.has(id)) widths.set(id, byId(id).clientWidth || byId(id).parentNode.clientWidth);
  return widths.get(id);
};

const theme = () => document.documentElement.dataset.theme;

/** The text that colours a point; that of an own run says what its figures are. */
const shade = (column, row) => (column === "round" && isOwn(row) ? `own run: ${marks(row)}` : text(column, row));
const LINES = "split(datum.label, ': ')";

/** Texts of a column with their colours: the most common ones, the others in grey. */
function colorScale(column, rows) {
  const palette = PALETTE[theme()];
  const counts = new Map();
  for (const row of rows) {
    const key = shade(column, row) || OTHER;
    counts.set(key, (counts.get(key) || 0) + 1);
  }
  if (column === "round") {
    const rounds = sameTexts("round")
      .filter((round) => round.startsWith("v"))
      .sort(byRound);
    const last = palette.rounds.length - 1;
    const domain = [...counts.keys()].sort(byRound);
    const place = (round) => (rounds.length > 1 ? Math.round((rounds.indexOf(round) * last) / (rounds.length - 1)) : last);
    return { domain, range: domain.map((key) => (rounds.includes(key) ? palette.rounds[place(key)] : OWN_COLOR[theme()])) };
  }
  const common = [...counts.keys()].filter((key) => key !== OTHER).sort((a, b) => counts.get(b) - counts.get(a) || (a < b ? -1 : 1));
  const domain = common.slice(0, MOST_COLORS);
  const rest = common.length > MOST_COLORS || counts.has(OTHER);
  return {
    domain: rest ? [...domain, OTHER] : domain,
    range: [...palette.names.slice(0, domain.length), ...(rest ? [palette.other] : [])],
  };
}

/** Log where the figures span more than a factor of 30. */
function scaleOf(column, rows) {
  let low = Infinity,
    high = 0;
  for (const row of rows) {
    const v = figure(column, row);
    if (v !== null && v !== undefined) {
      low = Math.min(low, v);
      high = Math.max(high, v);
    }
  }
  return low > 0 && high / low > 30 ? { type: "log", ticks: logTicks([low, high]) } : { type: "linear" };
}

const SENSE = { more: " — more is better", less: " — less is better", "": "" };

const LABEL = "abs(datum.value) >= 1e5 ? format(datum.value, '~s') : format(datum.value, ',~g')";

/** Ticks of a logarithmic axis: powers of ten, with 2 and 5 between them where there are few. */
function logTicks(values) {
  const low = Math.floor(Math.log10(Math.min(...values))),
    high = Math.ceil(Math.log10(Math.max(...values)));
  const steps = high - low > 3 ? [1] : [1, 2, 5];
  return Array.from({ length: high - low + 1 }, (_, i) => steps.map((step) => Number(`${step}e${low + i}`))).flat();
}

function axis(column, { type, ticks }) {
  const { better } = COLUMNS.get(column);
  const wide = widthOf("plot") > 560;
  return {
    type: "quantitative",
    scale: type === "log" ? { type, padding: 14 } : { type, zero: false, nice: true, padding: 8 },
    axis: {
      title: withUnit(column) + (wide ? SENSE[better] : ""),
      labelExpr: LABEL,
      labelOverlap: "greedy",
      ...(type === "log" ? { values: ticks } : { tickCount: 7 }),
    },
  };
}

function config(width) {
  const c = PALETTE[theme()];
  const font = getComputedStyle(document.body).fontFamily;
  return {
    background: null,
    font,
    aria: false,
    view: { stroke: null },
    mark: { invalid: null },
    padding: { left: 4, right: 10, top: 8, bottom: 4 },
    axis: {
      labelColor: c.muted,
      titleColor: c.ink,
      titleFontWeight: 500,
      titleFontSize: 13,
      labelFontSize: 12,
      gridColor: c.line,
      domainColor: c.line,
      tickColor: c.line,
      titlePadding: 10,
    },
    title: {
      color: c.ink,
      subtitleColor: c.muted,
      fontSize: 13,
      fontWeight: 600,
      subtitleFontSize: 11,
      subtitleFont: font,
      offset: 10,
    },
    legend: {
      labelColor: c.ink,
      titleColor: c.muted,
      titleFontWeight: 500,
      titleFontSize: 12,
      labelFontSize: 12,
      symbolSize: 80,
      symbolBaseFillColor: c.muted,
      symbolBaseStrokeColor: c.muted,
      labelLimit: 210,
      orient: width > 720 ? "right" : "bottom",
      columns: width > 720 ? 1 : Math.max(2, Math.floor(width / 170)),
    },
  };
}
