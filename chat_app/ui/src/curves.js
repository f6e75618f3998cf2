// Live learning curves (uPlot) and fold scores, from what the training reports while it works.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { fill, h } from "./dom.js";
import { metricName, modelName, number } from "./format.js";
import { isDark, onTheme } from "./store.js";

const COLOURS = ["#2dd4a7", "#7aa2ff", "#f5b454", "#f472b6", "#a78bfa", "#38bdf8", "#fb7185", "#a3e635"];

/** One colour per model, the same everywhere. */
export function colours() {
  const known = new Map();
  return (model) => {
    if (!known.has(model)) known.set(model, COLOURS[known.size % COLOURS.length]);
    return known.get(model);
  };
}

/** {root, draw(series)}; a series is {model, name, fold, points: [[step, value], …]}. */
export function learningCurves(colour, height = 190) {
  const root = h("div", { class: "mw-curves" });
  const legend = h("div", { class: "mw-legend" });
  const place = h("div", { class: "mw-plot" });
  let chosen;
  let series = [];
  let plot;
  let shape = "";
  root.append(legend, place);

  function draw(all) {
    series = all.filter((one) => one.points.length > 1);
    const names = [...new Set(series.map((one) => one.name))];
    if (!names.includes(chosen)) chosen = names[0];
    const shown = series.filter((one) => one.name === chosen);
    root.hidden = shown.length === 0;
    if (root.hidden) return;
    const next = JSON.stringify([isDark(), chosen, shown.map((one) => [one.model, one.fold])]);
    const data = table(shown);
    root.dataset.points = String(shown.reduce((sum, one) => sum + one.points.length, 0));
    if (plot && next === shape) plot.setData(data);
    else make(next, shown, data, names);
  }

  function make(next, shown, data, names) {
    shape = next;
    plot?.destroy();
    place.replaceChildren();
    const ink = isDark() ? "#93a1b3" : "#56637a";
    const grid = { stroke: isDark() ? "#ffffff12" : "#00000012", width: 1 };
    const axis = { stroke: ink, grid, ticks: { show: false }, font: "11px Inter Variable, system-ui", size: 26 };
    plot = new uPlot(
      {
        width: Math.max(200, place.clientWidth || 320),
        height,
        cursor: { drag: { x: false, y: false }, points: { size: 6 } },
        legend: { show: false },
        padding: [8, 8, 0, 0],
        scales: { x: { time: false } },
        axes: [axis, { ...axis, size: 48, values: (_, ticks) => ticks.map((tick) => Number(tick.toPrecision(3))) }],
        series: [{ label: "step" }, ...shown.map((one) => ({ label: `${one.model} ${one.fold}`, stroke: colour(one.model), width: 1.6, alpha: 0.85, spanGaps: true, points: { show: false } }))],
      },
      data,
      place,
    );
    const models = [...new Set(shown.map((one) => one.model))];
    fill(
      legend,
      names.length > 1
        ? h("select", { class: "mw-select mw-small", "aria-label": "Metric", onchange: (event) => ((chosen = event.target.value), draw(series)) }, names.map((name) => h("option", { value: name, selected: name === chosen }, metricName(name))))
        : h("span", { class: "mw-faint" }, `${metricName(chosen)} by step`),
      models.map((model) => h("span", { class: "mw-key" }, h("i", { style: `background:${colour(model)}` }), modelName(model))),
    );
  }

  new ResizeObserver(() => plot && place.clientWidth > 0 && plot.setSize({ width: place.clientWidth, height })).observe(place);
  onTheme(() => draw(series));
  return { root, draw };
}

/** Columns for uPlot: every step of any series, gaps as null. */
function table(shown) {
  const steps = [...new Set(shown.flatMap((one) => one.points.map(([step]) => step)))].sort((a, b) => a - b);
  const at = new Map(steps.map((step, index) => [step, index]));
  return [
    steps,
    ...shown.map((one) => {
      const column = new Array(steps.length).fill(null);
      for (const [step, value] of one.points) column[at.get(step)] = value;
      return column;
    }),
  ];
}

/** {root, draw(folds)}; a fold is {model, name, fold, value}: one dot per fold, one row per model. */
export function foldScores(colour) {
  const root = h("div", { class: "mw-folds", hidden: true });
  function draw(folds) {
    root.hidden = folds.length === 0;
    if (root.hidden) return;
    const name = folds[folds.length - 1].name;
    const same = folds.filter((one) => one.name === name);
    const values = same.map((one) => one.value);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const span = high - low || Math.abs(high) || 1;
    const models = [...new Set(same.map((one) => one.model))];
    root.dataset.folds = String(same.length);
    fill(
      root,
      h("div", { class: "mw-faint" }, `${metricName(name)} per fold of cross-validation`),
      models.map((model) => row(model, same.filter((one) => one.model === model), (value) => 4 + (92 * (value - low)) / span, colour(model))),
      h("div", { class: "mw-scale" }, h("span", {}, number(low)), h("span", {}, number(high))),
    );
  }
  return { root, draw };
}

function row(model, folds, place, tint) {
  const mean = folds.reduce((sum, one) => sum + one.value, 0) / folds.length;
  return h(
    "div",
    { class: "mw-fold-row" },
    h("span", { class: "mw-fold-name" }, modelName(model)),
    h(
      "span",
      { class: "mw-strip" },
      folds.map((one) => h("i", { style: `left:${place(one.value)}%;background:${tint}`, title: `fold ${one.fold + 1}: ${number(one.value)}` })),
      h("b", { style: `left:${place(mean)}%;background:${tint}` }),
    ),
    h("span", { class: "mw-fold-mean" }, number(mean)),
  );
}
