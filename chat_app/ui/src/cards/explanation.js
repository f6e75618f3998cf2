// What a model relies on: charts of an answer, and for a row the columns that may change.
import { button, fill, h } from "../dom.js";
import { reveal } from "../store.js";
import { chartBox } from "../vega.js";

const MOST_CHIPS = 40;

export function explanationCard(props, say) {
  const root = h("section", { class: "mw-card mw-explanation", "data-card": "explanation", "data-about": props.about });
  let last = "";
  function update(next) {
    const now = JSON.stringify({ ...next, seq: 0, panel: 0 });
    if (now === last) return;
    last = now;
    fill(root, next.charts.length > 0 && pictures(next), next.features?.length > 0 && changing(next, say));
  }
  update(props);
  reveal(() => root.closest(".step") ?? root, props.project);
  return { root, update };
}

function pictures({ project, charts }) {
  const place = h("div", {});
  const bar = h("div", { class: "mw-chips mw-chart-names" });
  const show = (chart) => {
    for (const chip of bar.children) chip.setAttribute("aria-pressed", String(chip.dataset.name === chart.name));
    fill(place, chartBox(project, chart));
  };
  for (const chart of charts) bar.append(h("button", { type: "button", class: "mw-chip", "data-name": chart.name, onclick: () => show(chart) }, chart.title));
  show(charts[0]);
  return h("div", { class: "mw-card-body" }, charts.length > 1 && bar, place);
}

/** Chips of the columns; the question is a message like any that is typed. */
function changing({ row, features, chosen }, say) {
  const picked = new Set(chosen);
  const chips = features.slice(0, MOST_CHIPS).map((name) =>
    h("button", { type: "button", class: "mw-chip", "data-column": name, "aria-pressed": String(picked.has(name)), onclick: (event) => {
      if (!picked.delete(name)) picked.add(name);
      event.currentTarget.setAttribute("aria-pressed", String(picked.has(name)));
    } }, name),
  );
  const ask = () => {
    const names = features.filter((name) => picked.has(name)).map((name) => `"${name}"`);
    const only = names.length ? ` if only ${names.join(", ")} may change` : "";
    say.message?.(`What would change the answer of row ${row}${only}?`);
  };
  return h(
    "div",
    { class: "mw-foot" },
    h("p", { class: "mw-faint" }, "What would change the answer? Pick the columns that may change; none means all that can."),
    h("div", { class: "mw-chips" }, chips),
    h("div", { class: "mw-actions" }, button("What would change it?", { "data-action": "what-if", onclick: ask })),
  );
}
