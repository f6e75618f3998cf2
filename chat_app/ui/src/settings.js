// The settings of the language models: who is asked for what, what may leave, what it may cost, and a test of each.
import { changeLanguageModels, languageModels } from "./api.js";
import { button, fill, h, icon } from "./dom.js";
import { count, money, seconds } from "./format.js";
import { roleForm } from "./settings_role.js";

const ADDRESS = "#settings";
const EGRESS = {
  schema: ["Names and counts", "Your sentence; names, types and numbers of distinct values of the columns. Never a value of a cell."],
  sample: ["A few rows as well, masked", "As above, and a few rows after names, addresses, card numbers and the like were masked."],
  off: ["Nothing", "No model is asked; the built-in experts decide everything."],
};
const BOUNDS = [["run", "One request"], ["day", "One day"]];
const UNITS = [["tokens", "Tokens", "numeric"], ["money", "Money", "decimal"], ["minutes", "Minutes", "decimal"]];

let shown; // the open dialog

/** The gear at the top right; the address #settings (where /settings leads) opens the same. */
export function settingsButton() {
  const gear = h("button", { type: "button", id: "mw-settings-button", "data-action": "settings", title: "Settings of the language models", "aria-label": "Settings of the language models", "aria-haspopup": "dialog", onclick: openSettings }, icon("gear"));
  document.body.append(gear);
  const follow = () => window.location.hash === ADDRESS && openSettings();
  window.addEventListener("hashchange", follow);
  follow();
}

export async function openSettings() {
  if (shown) return;
  const body = h("div", { class: "mw-settings-body", "aria-busy": "true" }, h("p", { class: "mw-faint" }, "One moment."));
  const close = h("button", { type: "button", class: "mw-close", "data-action": "close", "aria-label": "Close the settings", onclick: () => shown?.close() }, icon("cross"));
  shown = h("dialog", { class: "mw-settings", "aria-labelledby": "mw-settings-title", onclose: gone }, h("header", {}, h("h2", { id: "mw-settings-title" }, "Language models"), h("span", { class: "mw-grow" }), close), body);
  document.body.append(shown);
  shown.showModal();
  try {
    draw(body, await languageModels());
  } catch {
    fill(body, h("p", { class: "mw-error", role: "alert" }, "The settings could not be fetched; is the server running? Close this and try again."));
  }
  body.removeAttribute("aria-busy");
}

function gone() {
  shown?.remove();
  shown = undefined;
  if (window.location.hash === ADDRESS) window.history.replaceState(window.history.state, "", window.location.pathname + window.location.search);
}

function draw(body, state) {
  const today = h("p", { class: "mw-faint", "data-part": "today" });
  function redraw(next, changed) {
    for (const role of next.roles) roles.get(role.role)?.update(role, role.role === changed);
    today.textContent = spent(next.today);
  }
  const roles = new Map(state.roles.map((role) => [role.role, roleForm(role, redraw, () => languageModels().then((next) => (today.textContent = spent(next.today)), () => {}))]));
  redraw(state);
  fill(
    body,
    h("p", { class: "mw-faint" }, "None is needed: the built-in experts can decide everything. A model helps where they are at a loss, and what it says is checked before anything is made of it. Any server with OpenAI's chat protocol will do."),
    h("div", { class: "mw-roles" }, [...roles.values()].map((form) => form.root)),
    leaving(state.egress, redraw),
    bounds(state.budgets, redraw),
    today,
  );
}

function leaving(chosen, redraw) {
  const words = h("p", { class: "mw-error", role: "alert" });
  const root = h("fieldset", { class: "mw-part", "data-part": "egress" }, h("legend", {}, "What of a table may leave this computer"), Object.entries(EGRESS).map(option), words);
  function option([mode, [label, about]]) {
    return h("label", { class: "mw-option" }, h("input", { type: "radio", name: "mw-egress", value: mode, "data-field": `egress-${mode}`, checked: mode === chosen, onchange: () => choose(mode) }), h("span", {}, h("b", {}, label), h("small", {}, about)));
  }
  async function choose(mode) {
    words.textContent = "";
    const reply = await changeLanguageModels({ egress: mode });
    if (reply.accepted) chosen = mode;
    else words.textContent = reply.sentence;
    for (const radio of root.querySelectorAll("input")) radio.checked = radio.value === chosen;
    if (reply.accepted) redraw(reply.settings);
  }
  return root;
}

function bounds(budgets, redraw) {
  const words = h("p", { class: "mw-error", role: "alert" });
  const said = h("span", { class: "mw-said", role: "status" });
  const inputs = new Map();
  const field = (bound, where, unit, label, mode) => {
    const value = budgets[`${bound}_${unit}`];
    const input = h("input", { class: "mw-input", inputmode: mode, value: value === null ? "" : String(value), placeholder: "no bound", "data-field": `${bound}_${unit}`, "aria-label": `${label}, ${where.toLowerCase()}` });
    inputs.set(`${bound}_${unit}`, input);
    return h("td", {}, input);
  };
  const rows = BOUNDS.map(([bound, where]) => h("tr", {}, h("th", { scope: "row" }, where), UNITS.map(([unit, label, mode]) => field(bound, where, unit, label, mode))));
  const table = h("table", { class: "mw-table mw-bounds" }, h("thead", {}, h("tr", {}, h("td", {}), UNITS.map(([, label]) => h("th", { scope: "col" }, label)))), h("tbody", {}, rows));
  async function save() {
    words.textContent = said.textContent = "";
    const wanted = {};
    for (const [name, input] of inputs) {
      const value = amount(input.value);
      input.setAttribute("aria-invalid", String(value === undefined));
      if (value === undefined) {
        words.textContent = `“${input.value}” is no amount; an empty field means no bound.`;
        return input.focus();
      }
      wanted[name] = value;
    }
    const reply = await changeLanguageModels(wanted);
    if (!reply.accepted) words.textContent = reply.sentence;
    else {
      fill(said, icon("check"), "Saved");
      redraw(reply.settings);
    }
  }
  return h("section", { class: "mw-part", "data-part": "budgets" }, h("h3", {}, "What they may cost"), h("p", { class: "mw-faint" }, "Checked before each call. When a bound is reached, the run goes on with the experts and says so. Money is in the unit of the prices above, minutes are spent waiting for models, a day begins at midnight UTC."), table, h("div", { class: "mw-actions" }, button("Save", { "data-action": "save-budgets", onclick: save }), said), words);
}

/** What was typed: a number from 0, null for nothing, undefined for anything else. */
export function amount(text) {
  const typed = text.trim().replaceAll(/[\s,](?=\d{3}(\D|$))/g, "");
  if (typed === "") return null;
  return /^\d*[.]?\d+$/.test(typed) ? Number(typed) : undefined;
}

function spent(today) {
  if (!today.calls) return "Today, all projects: no call yet.";
  const cost = today.cost ? `, ${money(today.cost)} in money` : "";
  return `Today, all projects: ${count(today.calls)} ${today.calls === 1 ? "call" : "calls"}, ${count(today.tokens_in + today.tokens_out)} tokens, ${seconds(today.seconds)} of waiting${cost}.`;
}
