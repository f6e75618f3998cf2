// What was read: the table, what had to be repaired, and how it looks.
import { fill, fold, h, icon } from "../dom.js";
import { count, plural } from "../format.js";
import { chartBox } from "../vega.js";

export function dataCard(props) {
  const root = h("section", { class: "mw-card", "data-card": "data" });
  let last = "";
  function update(next) {
    const now = JSON.stringify({ ...next, seq: 0 });
    if (now === last) return;
    last = now;
    fill(root, head(next), h("div", { class: "mw-card-body" }, body(next)));
  }
  update(props);
  return { root, update };
}

function head({ name, rows, column_count, quality }) {
  return h(
    "div",
    { class: "mw-card-head mw-still" },
    icon("table"), h("span", { class: "mw-card-title mw-clip" }, name), h("span", { class: "mw-faint" }, `${plural(rows, "row")} × ${plural(column_count, "column")}`),
    h("span", { class: "mw-grow" }),
    quality !== null && quality !== undefined && h("span", { class: `mw-pill ${quality >= 80 ? "mw-is-done" : quality >= 50 ? "mw-is-waiting" : "mw-is-failed"}`, title: "Completeness, duplicates, types and plausibility, of 100" }, `Quality ${Math.round(quality)}`),
  );
}

function body({ project, warnings = [], account = [], columns, column_count, head: rows, target }) {
  return [
    warnings.length > 0 && notes(warnings),
    target && h("div", { class: "mw-target" }, chartBox(project, { name: "target", title: `Distribution of ${target.name}`, alt: "", spec_hash: target.chart_hash })),
    account.length > 0 && fold(`${plural(account.length, "thing")} had to be repaired or left out`, h("ul", { class: "mw-list" }, account.map((line) => h("li", {}, line)))),
    fold("First rows", preview(columns, column_count, rows), { class: "mw-preview" }),
  ];
}

function notes(warnings) {
  const shown = warnings.slice(0, 3);
  const rest = warnings.slice(3);
  const list = (lines) => h("ul", { class: "mw-problems" }, lines.map((line) => h("li", {}, icon("warning"), line)));
  return [list(shown), rest.length > 0 && fold(`${count(rest.length)} more`, list(rest))];
}

function preview(shown, count, rows) {
  return h(
    "div",
    { class: "mw-scroll" },
    h("table", { class: "mw-table mw-data" }, h("thead", {}, h("tr", {}, shown.map((column) => h("th", {}, column.name, h("small", {}, column.type))))), h("tbody", {}, rows.map((row) => h("tr", {}, row.map((value) => h("td", {}, value)))))),
    count > shown.length && h("p", { class: "mw-faint" }, `and ${plural(count - shown.length, "further column")}`),
  );
}
