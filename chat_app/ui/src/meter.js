// What left for language models in this project and what it cost: one line, and the account by role behind it.
import { button, fold, h, icon } from "./dom.js";
import { bytes, count, money, plural, seconds } from "./format.js";
import { openSettings } from "./settings.js";

const ROLES = { reasoning: "Reasoning", code: "Code", vision: "Vision" };

export function meter(state, open) {
  if (!state?.calls) return null;
  const body = h("div", {}, account(state), left(state), state.trouble && h("p", { class: "mw-note" }, icon("warning"), state.trouble), h("div", { class: "mw-actions" }, button("Settings of the language models", { symbol: "gear", "data-action": "open-settings", onclick: openSettings })));
  return fold([icon("gauge"), h("span", { "data-meter": state.calls }, state.line)], body, { open, class: "mw-meter", "aria-label": "Language models" });
}

function account(state) {
  const rows = [...Object.entries(state.roles).map(([role, one]) => [ROLES[role] ?? role, one]), ["This request", state.turn], ["This project", state]];
  const figures = (one) => [count(one.calls), count(one.tokens_in), count(one.tokens_out), seconds(one.seconds), state.cost ? money(one.cost) : "–"];
  return h(
    "div",
    { class: "mw-scroll" },
    h(
      "table",
      { class: "mw-table" },
      h("thead", {}, h("tr", {}, h("td", {}, h("span", { class: "sr-only" }, "Tokens and money by role")), ["Calls", "Sent", "Answered", "Waiting", "Money"].map((name) => h("th", { scope: "col", class: "mw-num" }, name)))),
      h("tbody", {}, rows.map(([name, one]) => h("tr", {}, h("th", { scope: "row" }, name), figures(one).map((figure) => h("td", { class: "mw-num" }, figure))))),
    ),
  );
}

function left(state) {
  const counted = state.estimated ? " Some server counted no tokens; those figures are estimated." : "";
  const failed = state.failed ? ` ${plural(state.failed, "call")} came to nothing.` : "";
  return h("p", { class: "mw-faint" }, `Left this computer: ${bytes(state.bytes_out)} of questions; of the table: ${state.left}${state.columns ? ` (${plural(state.columns, "column")} at most)` : ""}.${failed}${counted}`);
}
