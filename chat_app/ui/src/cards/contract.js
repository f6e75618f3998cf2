// Gate 1: the analysis contract. Every field can be changed; the server validates and shows it again.
import { button, fill, fold, h, icon } from "../dom.js";
import { metricName, modelName, plural, seconds } from "../format.js";
import { decider, gateCard, never, rejecting, runsIn } from "../gate.js";
import { reveal } from "../store.js";
import { changedFormulas, formulaPart, proposalList } from "./advice.js";
import { blueprintPart, changedBlueprint } from "./blueprint.js";
import { loadModels, modelOrder, modelPart } from "./model.js";

const ROLES = { number: "hash", category: "tags", boolean: "toggle", text: "text", date: "calendar", id: "user", constant: "dash", empty: "circle" };
const RULES = { random: "at random", stratified: "stratified", time: "newest rows", group: "whole groups", predefined: "as a column says" };
const CHOSEN = { random: "chosen at random", stratified: "chosen at random with the same class shares", time: "the newest ones", group: "whole groups", predefined: "as the table marks them" };
const COLUMNS = { time: "Date column", group: "Group column", predefined: "Column that says train or test" };
const TASKS = { binary: "two classes", multiclass: "several classes", regression: "a number" };
const MODELS = ["linear", "lightgbm", "extra_trees", "xgboost", "catboost", "neural_net"];
const PROFILES = { best: "as good as time allows", compact: "small and fast: one model under 5 MB", explainable: "readable: a person can follow it" };
const SHOWN = 60;

export function contractCard(props) {
  const card = gateCard({ kind: "contract", symbol: "handshake", title: props.title || "The analysis contract" });
  let last = "";
  function update(next) {
    card.settle(next.open, next.decided);
    const { contract } = next.payload;
    card.rename("Analysis contract", `${contract.target} · ${metricName(contract.metric)}`);
    const now = JSON.stringify([next.payload, next.open]);
    if (now === last) return;
    last = now;
    fill(card.body, form(next));
    if (next.open) reveal(card.root, next.project, true);
  }
  update(props);
  return { root: card.root, update };
}

function form(props) {
  const { contract, problems = [] } = props.payload;
  const draft = structuredClone(contract);
  const typed = new Map(); // field -> what stands in it, when that is not (yet) what the draft says
  const words = h("p", { class: "mw-error", role: "alert" });
  const bar = h("div", { class: "mw-actions" });
  const send = decider(props, bar, words);
  const columns = h("div", {});
  const fields = h("div", { class: "mw-fields" });
  const model = h("div", {});
  const more = h("div", { class: "mw-fields" });
  const fieldset = h("fieldset", { disabled: !props.open }, fields, model, fold("More", more), columns);

  function changes() {
    const patch = {};
    for (const name of Object.keys(draft)) if (JSON.stringify(draft[name]) !== JSON.stringify(contract[name])) patch[name] = draft[name];
    if (patch.columns) patch.columns = changedColumns(draft, contract);
    if ("model" in patch) patch.model = modelOrder(draft.model);
    if (patch.formulas) patch.formulas = changedFormulas(draft.formulas, contract.formulas ?? []);
    if (patch.blueprint) patch.blueprint = changedBlueprint(draft.blueprint, contract.blueprint);
    return patch;
  }

  /** What is sent is what is shown: with a field that is not valid nothing can be sent. */
  function touched() {
    const edited = Object.keys(changes()).length > 0 || typed.size > 0;
    bar.dataset.edited = String(edited);
    fill(bar, props.open && (edited ? editing() : approving()));
  }

  const approving = () => [
    button("Approve", { kind: "primary", symbol: "check", "data-action": "approve", onclick: () => send({ action: "approve" }) }),
    button("Approve the rest", { "data-action": "approve-rest", title: "Do not ask again in this project", onclick: () => send({ action: "approve_rest" }) }),
    ...rejecting(send),
  ];
  const editing = () => [
    button("Apply changes", { kind: "primary", symbol: "check", "data-action": "apply", ...never(typed.size > 0), onclick: () => send({ action: "edit", contract: changes() }) }),
    button("Undo", { "data-action": "undo", onclick: undo }),
    h("span", { class: "mw-faint", "data-hint": "" }, typed.size > 0 ? "Please correct what is marked first." : "Checked again before anything runs."),
  ];

  function undo() {
    Object.assign(draft, structuredClone(contract));
    typed.clear();
    words.textContent = "";
    drawAll();
  }

  const form = {
    props, contract, draft, typed,
    set(name, value) {
      draft[name] = value;
      touched();
    },
    touched,
    redraw: () => drawAll(),
  };

  function drawAll() {
    fill(fields, fieldList(form));
    fill(model, modelPart(form, { field, select }));
    fill(more, furtherFields(form));
    fill(columns, columnChips(form), blueprintPart(form, { check, numeric, field }), formulaPart(form, { check }));
    touched();
  }

  drawAll();
  if (props.open || contract.model) loadModels().then(() => fill(model, modelPart(form, { field, select })), () => {});
  return [
    h("p", { class: "mw-lead" }, ...sentence(contract)),
    problems.length > 0 && h("ul", { class: "mw-problems" }, problems.map((problem) => h("li", {}, icon("warning"), problem))),
    fieldset,
    proposalList(props.payload.proposals, props.open && ((made) => (typed.size > 0 ? (words.textContent = "Please correct what is marked first.") : send({ action: "edit", contract: { ...changes(), ...made } })))),
    assumed(contract.assumptions).length > 0 && h("div", { class: "mw-assumptions" }, h("b", {}, "Assumed: "), assumed(contract.assumptions).join(" ")),
    runsIn(props.payload.runs_in),
    props.payload.models && h("div", { class: "mw-runs-in", "data-forecast": "" }, h("p", {}, icon("gauge"), h("span", {}, h("small", {}, "Language models "), props.payload.models))),
    words,
    bar,
  ];
}

/** What was advised and not done stands in the list above already. */
const assumed = (sentences) => (sentences ?? []).filter((one) => !one.startsWith("Advised and not done: "));

/** Only what was changed: the server plans the rest, e.g. when the target is another one. */
function changedColumns(draft, contract) {
  const before = new Map(contract.columns.map((column) => [column.name, column]));
  return draft.columns
    .filter((column) => column.name !== draft.target && (column.use !== before.get(column.name).use || column.role !== before.get(column.name).role))
    .map(({ name, use, role }) => (use ? { name, use, role } : { name, use }));
}

function sentence(contract) {
  const used = contract.columns.filter((column) => column.use).length;
  const share = Math.round(contract.split.holdout_fraction * 100);
  return [
    "Predict ", h("b", {}, contract.target), ` (${TASKS[contract.task]}${contract.positive_class ? `, positive: ${contract.positive_class}` : ""}) from ${plural(used, "column")}. `,
    `${share} % of the rows (${CHOSEN[contract.split.rule]}) are sealed before anything is trained and judge the model by `, h("b", {}, metricName(contract.metric)),
    `. At most ${seconds(contract.budget_seconds)} in all.`,
  ];
}

/** What hangs on target and task is planned anew by the server and shown again: offering the old choices would mislead. */
const FOLLOWS = ["positive_class", "metric", "also", "cost_of_errors", "costs"];

function fieldList(form) {
  const { props, contract, draft } = form;
  const names = [draft.target, ...draft.columns.map((column) => column.name)].filter((name, place, all) => all.indexOf(name) === place);
  const metrics = props.metrics?.[draft.task] ?? [draft.metric];
  const dated = draft.split.rule in COLUMNS;
  const planned = draft.target !== contract.target || draft.task !== contract.task;
  const replan = (name, value) => {
    for (const one of name === "target" ? ["task", ...FOLLOWS] : FOLLOWS) draft[one] = structuredClone(contract[one]);
    draft[name] = value;
    form.typed.delete("cost_of_errors");
    form.typed.delete("costs");
    form.redraw();
  };
  const split = (change) => {
    form.set("split", { ...draft.split, ...change, reason: "" });
    form.redraw();
  };
  const rule = (value) => split({ rule: value, column: value in COLUMNS ? (value === contract.split.rule ? contract.split.column : guess(draft, value)) : null });
  const metric = (value) => {
    draft.also = structuredClone(contract.also ?? []);
    form.set("metric", value);
    form.redraw();
  };
  return [
    field("Target", select("target", [...names].sort((a, b) => (a === contract.target ? -1 : b === contract.target ? 1 : 0)), draft.target, (value) => replan("target", value)), planned ? "What follows from it is planned anew and shown again." : "What is predicted."),
    draft.target === contract.target && field("Kind of target", select("task", Object.keys(TASKS), draft.task, (value) => replan("task", value), (task) => TASKS[task]), "Classes, or a number."),
    !planned && draft.task === "binary" && field("Positive class", select("positive_class", draft.classes, draft.positive_class, (value) => form.set("positive_class", value)), "The class that matters."),
    !planned && draft.task === "binary" && field("Costs", costs(form), "FP: what a false alarm costs; FN: a miss; TP: what a hit brings. From them follows from which chance on it pays to act."),
    !planned && field("Judged by", select("metric", metrics.includes(draft.metric) ? metrics : [draft.metric, ...metrics], draft.metric, metric, metricName), "The score that decides."),
    field("Sealed rows", select("rule", Object.keys(RULES), draft.split.rule, rule, (name) => RULES[name]), seen(draft.split)),
    dated && field(COLUMNS[draft.split.rule], select("split_column", draft.columns.map((column) => column.name), draft.split.column, (value) => split({ column: value }))),
    draft.split.rule !== "predefined" && field("Share of sealed rows", numeric(form, "holdout", percent(draft.split.holdout_fraction), { min: 5, max: 50, unit: "%" }, (value) => form.set("split", { ...draft.split, holdout_fraction: value / 100 }))),
    field("Time budget", numeric(form, "budget", draft.budget_seconds, { min: 5, max: 86400, unit: "s" }, (value) => form.set("budget_seconds", value)), "Training, scoring and audit together."),
    field("Rows kept in model/", numeric(form, "sample_rows", draft.sample_rows ?? 200, { min: 0, max: 200, whole: true }, (value) => form.set("sample_rows", value)), "Training rows that explanations compare with, real ones and without the answer; 0: none."),
    field("Seed", numeric(form, "seed", draft.seed, { min: 0, max: 2 ** 32 - 1, whole: true }, (value) => form.set("seed", value)), "Same seed, same split, same score."),
    !draft.model && field("Profile", select("profile", Object.keys(PROFILES), draft.profile ?? "best", (value) => form.set("profile", value), (name) => PROFILES[name]), "Readable: a sparse linear model, a shallow tree or a sum of curves; what that costs in score is measured."),
    !draft.model && draft.profile !== "explainable" && field("Models to compare", modelChecks(form)),
  ];
}

/** Rarely changed, hence folded away. */
const searchTime = (value) => (value === null || value === undefined ? "" : String(value));
const searchTimes = (now) => [...new Set(["", "0", "60", "300", "900", searchTime(now)])];
const searchWords = (value) => (value === "" ? "none" : value === "0" ? "in the time that is left" : `${seconds(Number(value))} more`);

function furtherFields(form) {
  const { props, contract, draft } = form;
  const planned = draft.target !== contract.target || draft.task !== contract.task;
  const metrics = (props.metrics?.[draft.task] ?? []).filter((name) => name !== draft.metric);
  return [
    field("One row is", textual(form, "row_unit"), "What a row of the table stands for."),
    field("Weight of a row", select("weight_column", ["", ...draft.columns.filter((column) => column.role === "number").map((column) => column.name)], draft.weight_column ?? "", (value) => form.set("weight_column", value || null), (name) => name || "all rows count the same"), "Its numbers weigh the training rows; it is no feature, and the score counts every row once."),
    field("Improvement search", select("improve_seconds", searchTimes(contract.improve_seconds), searchTime(draft.improve_seconds), (value) => form.set("improve_seconds", value === "" ? null : Number(value)), searchWords), "A language model tries to better the recipe's script. Without one that writes scripts there is no search."),
    !planned && draft.metric === contract.metric && field("Cost of errors", textual(form, "cost_of_errors"), "Which mistakes are expensive."),
    !planned && draft.metric === contract.metric && field("Reported as well", h("div", { class: "mw-checks" }, metrics.map((name) => check(`also-${name}`, metricName(name), (draft.also ?? []).includes(name), (on) => form.set("also", on ? [...(draft.also ?? []), name] : draft.also.filter((one) => one !== name)))))),
  ];
}

function modelChecks(form) {
  const { contract, draft, typed } = form;
  const none = problem(typed.get("candidates"));
  const all = [...new Set([...MODELS, ...contract.candidates])];
  const flip = (model, on) => {
    const chosen = on ? [...draft.candidates, model] : draft.candidates.filter((one) => one !== model);
    invalid(form, "candidates", chosen.length ? "" : "At least one kind of model has to be tried.", "", none);
    form.set("candidates", contract.candidates.length === chosen.length && contract.candidates.every((one) => chosen.includes(one)) ? [...contract.candidates] : chosen);
  };
  return [h("div", { class: "mw-checks" }, all.map((model) => check(`candidate-${model}`, modelName(model), draft.candidates.includes(model), (on) => flip(model, on)))), none];
}

const percent = (fraction) => Number((fraction * 100).toFixed(6));

const problem = (known) => h("small", { class: "mw-error", role: "alert" }, known?.sentence ?? "");

/** Remember (or forget) what is wrong with a field, and say it below. */
function invalid(form, name, sentence, text, place) {
  if (sentence) form.typed.set(name, { text, sentence });
  else form.typed.delete(name);
  place.textContent = sentence;
  form.touched();
}

/** What the table itself says first; the server checks it all the same. */
const guess = (draft, rule) => {
  const told = { time: draft.split.ordered_by, group: draft.split.repeats }[rule];
  const fits = { time: (column) => column.role === "date", group: (column) => column.role === "id", predefined: (column) => /^(split|set|part|subset|fold|partition|is_?(train|test))$/i.test(column.name) }[rule];
  return told ?? (draft.columns.find(fits) ?? draft.columns[0])?.name ?? null;
};

/** Why the split is as it is, and what in the table speaks for one or another. */
const seen = (split) => [split.reason, ...(split.evidence ?? [])].filter(Boolean).join(" ");

const field = (label, control, hint) => h("label", { class: "mw-field" }, h("span", {}, label), control, hint && h("small", {}, hint));

const select = (name, values, chosen, onchange, show = (value) => value) =>
  h("select", { class: "mw-select", "data-field": name, onchange: (event) => onchange(event.target.value) }, values.map((value) => h("option", { value, selected: value === chosen }, show(value))));

/** A number: any other text stays in the field, is explained below it, and cannot be sent. */
function numeric(form, name, value, { min, max, whole, unit }, onchange) {
  const below = problem(form.typed.get(name));
  const input = h("input", { class: "mw-input", type: "number", step: "any", min, max, "data-field": name, value: form.typed.get(name)?.text ?? String(value), "aria-invalid": form.typed.has(name) ? "true" : null });
  input.addEventListener("input", () => {
    const sentence = objection(input, min, max, whole);
    input.setAttribute("aria-invalid", String(Boolean(sentence)));
    invalid(form, name, sentence, input.value, below);
    if (!sentence) onchange(input.valueAsNumber);
  });
  return [h("span", { class: "mw-unit" }, input, unit && h("em", {}, unit)), below];
}

function objection(input, min, max, whole) {
  const range = `${min.toLocaleString("en")} to ${max.toLocaleString("en")}`;
  const value = input.valueAsNumber;
  if (Number.isNaN(value)) return `Please enter a number from ${range}.`;
  if (whole && !Number.isInteger(value)) return `Please enter a whole number from ${range}.`;
  return value < min || value > max ? `It has to be ${range}.` : "";
}

const COSTS = { false_positive: "FP", false_negative: "FN", true_positive: "TP" };

const priced = (known) => Object.entries(COSTS).filter(([name]) => known?.[name]).map(([name, short]) => `${short}=${known[name]}`).join(", ");

/** As the command line takes them; the server reads and checks them. */
function costs(form) {
  const { contract, draft, typed } = form;
  const before = priced(contract.costs);
  const below = problem(typed.get("costs"));
  const oninput = ({ target }) => {
    const text = target.value.trim();
    const fits = /^((FP|FN|TP)\s*=\s*\d+(\.\d+)?\s*([,;]\s*|$))*$/i.test(text);
    invalid(form, "costs", fits ? "" : "Please write costs like FP=1, FN=5, TP=20.", target.value, below);
    if (fits) form.set("costs", text === before ? (contract.costs ?? null) : text);
  };
  const value = typed.get("costs")?.text ?? (typeof draft.costs === "string" ? draft.costs : priced(draft.costs));
  return [h("input", { class: "mw-input", type: "text", maxlength: 100, placeholder: "FP=1, FN=5", "data-field": "costs", value, oninput }), below];
}

function textual(form, name) {
  const { contract, draft, typed } = form;
  const below = problem(typed.get(name));
  const oninput = ({ target }) => {
    const text = target.value.trim();
    const empty = !text && (contract[name] ?? "") !== "";
    invalid(form, name, empty ? "Please do not leave this empty." : "", target.value, below);
    if (!empty) form.set(name, text === (contract[name] ?? "").trim() ? contract[name] : text);
  };
  return [h("input", { class: "mw-input", type: "text", maxlength: 2000, "data-field": name, value: typed.get(name)?.text ?? draft[name] ?? "", oninput }), below];
}

const check = (name, label, on, onchange) =>
  h("label", { class: "mw-check" }, h("input", { type: "checkbox", checked: on, "data-field": name, onchange: (event) => onchange(event.target.checked) }), label);

function columnChips({ contract, draft, touched }) {
  const before = new Map(contract.columns.map((column) => [column.name, column]));
  let wanted = "";
  let all = false;
  const list = h("div", { class: "mw-chips" });
  const about = h("div", { class: "mw-about", "aria-live": "polite" });
  const label = h("span", {});

  function draw() {
    const usable = draft.columns.filter((column) => column.name !== draft.target);
    const used = usable.filter((column) => column.use).length;
    label.textContent = `Columns: ${used} of ${usable.length} used`;
    const found = usable.filter((column) => column.name.toLowerCase().includes(wanted));
    const shown = all ? found : found.slice(0, SHOWN);
    fill(list, shown.map(chip), found.length > shown.length && button(`${found.length - shown.length} more`, { onclick: () => ((all = true), draw()) }));
  }

  function change(column, changed) {
    draft.columns = draft.columns.map((one) => (one.name === column.name ? { ...one, ...changed } : one));
    touched();
  }

  function chip(column) {
    const asBefore = column.use === before.get(column.name).use && column.role === before.get(column.name).role;
    const told = asBefore ? (column.use ? column.steps.join(", then ") || "used as it is" : "not used") : column.use ? "prepared as fits its kind; shown again before anything runs" : "not used";
    const show = () => fill(about, h("b", {}, column.name), ` (${column.role}) ${told}. `, asBefore && h("span", { class: "mw-faint" }, column.reason));
    const toggle = h(
      "button",
      {
        type: "button", class: "mw-chip", "aria-pressed": String(column.use), "data-column": column.name, onmouseenter: show, onfocus: show,
        onclick: () => (change(column, column.use ? { use: false, role: before.get(column.name).role } : { use: true }), draw()),
      },
      icon(ROLES[column.role]), column.name,
    );
    return h("span", { class: "mw-column" }, toggle, column.use && roleOf(column, (role) => (change(column, { role }), draw())));
  }

  draw();
  const search = draft.columns.length > 20 && h("input", { class: "mw-input mw-small", placeholder: "Find a column", "aria-label": "Find a column", oninput: (event) => ((wanted = event.target.value.toLowerCase()), draw()) });
  return fold(label, h("div", {}, h("p", { class: "mw-faint" }, "Click a column to use it or leave it out; choose what it is read as; point at it to see how it is prepared."), search, list, about), { open: draft.columns.length <= 12, class: "mw-columns" });
}

const CHOICES = ["number", "category", "text", "date"];

const roleOf = (column, onchange) =>
  h("select", { class: "mw-role", "data-role-of": column.name, "aria-label": `${column.name} is read as`, onchange: (event) => onchange(event.target.value) }, [...new Set([column.role, ...CHOICES])].map((role) => h("option", { value: role, selected: role === column.role }, role)));
