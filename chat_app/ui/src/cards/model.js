// One kind of model instead of our selection: its parameters, how they are searched, templates. The server checks it all.
import { modelCatalogue } from "../api.js";
import { fold, h } from "../dom.js";
import { modelName } from "../format.js";

const SEARCHES = { none: "No search", grid: "Grid: every combination", randomised: "Randomised", optuna: "Optuna: learns from each try" };
const OURS = "";
let known = null; // the catalogue, as soon as it is here

export const loadModels = () => modelCatalogue().then((found) => (known = found));

/** A value or a range as it can be typed; what was typed is kept as it is. */
const written = (value) => (value === null ? "none" : value === true ? "yes" : value === false ? "no" : String(value));
const spaceText = (one) => one.text ?? (one.values?.length ? one.values.map(written).join(",") : `${written(one.low)}..${written(one.high)}`);

/** What is sent: everything that the form shows, so that what is shown is what will be trained. */
export function modelOrder(model) {
  if (!model) return "no";
  const searched = model.search === "none" ? [] : model.space.filter((one) => spaceText(one).trim());
  const names = new Set(searched.map((one) => one.name));
  return {
    estimator: model.estimator,
    parameters: Object.fromEntries(model.parameters.filter(([name]) => !names.has(name)).map(([name, value]) => [name, written(value)])),
    space: Object.fromEntries(searched.map((one) => [one.name, spaceText(one)])),
    search: model.search,
    trials: model.trials,
    folds: model.folds,
    ...(model.template && { template: model.template }),
    ...(model.save_as && { save_as: model.save_as }),
  };
}

/** `field` and `select` are the contract card's own controls. */
export function modelPart(form, controls) {
  const { draft } = form;
  const model = draft.model;
  const of = known?.estimators ?? [];
  const fits = of.filter((one) => (draft.task === "regression" ? one.numbers : one.classes));
  if (!known && !model) return null;
  const names = [OURS, ...fits.map((one) => one.name)];
  if (model && !names.includes(model.estimator)) names.push(model.estimator);
  const title = (name) => (name === OURS ? "Chosen by Modelwright" : (of.find((one) => one.name === name)?.title ?? modelName(name)));
  const change = (next) => {
    form.set("model", next);
    form.redraw();
  };
  const start = (name) => change(name === OURS ? null : { estimator: name, parameters: [], search: "none", space: [], trials: 30, folds: 5, template: "", sentence: "" });
  const { field, select } = controls;
  const about = of.find((one) => one.name === model?.estimator)?.about;
  const head = h(
    "div",
    { class: "mw-fields" },
    field("Model", select("model", names, model?.estimator ?? OURS, start, title), about ?? "Several kinds are compared and blended."),
    known && field("Template", select("model_template", [OURS, ...known.templates.map((one) => one.name)], model?.template ?? OURS, (name) => change(name === OURS ? null : fromTemplate(name, draft.task)), templateTitle), templateAbout(model?.template)),
    model && field("Search", select("model_search", Object.keys(SEARCHES), model.search, (search) => change({ ...model, search }), (name) => SEARCHES[name]), model.search === "none" ? "The parameters stay as they are." : "On the training rows alone; the sealed rows have no part in it."),
    model && ["randomised", "optuna"].includes(model.search) && field("Candidates", text("model_trials", String(model.trials), (value) => form.set("model", { ...draft.model, trials: value })), "So many settings are tried, as far as there is time."),
  );
  return fold(
    h("span", { "data-model": model?.estimator ?? "" }, model ? `Model: ${title(model.estimator)}${model.search === "none" ? "" : `, ${SEARCHES[model.search].split(":")[0].toLowerCase()} search`}` : "Model: chosen by Modelwright"),
    h("div", {}, head, model && parameterFields(form, controls), model?.sentence && h("p", { class: "mw-note-plain" }, model.sentence)),
    { open: Boolean(model), class: "mw-columns mw-model" },
  );
}

const templateTitle = (name) => (name === OURS ? "None" : known.templates.find((one) => one.name === name)?.own ? `${name} (yours)` : name);
const templateAbout = (name) => known.templates.find((one) => one.name === name)?.about || "A ready-made choice to start from.";

/** What fits the task of a template, which may serve both. */
function fromTemplate(name, task) {
  const found = known.templates.find((one) => one.name === name);
  const kind = known.estimators.find((one) => [one.name, one.title.toLowerCase()].includes(found.estimator.toLowerCase()));
  const fits = ([one]) => [undefined, null, task === "regression" ? "numbers" : "classes"].includes(kind?.parameters[one]?.only);
  const estimator = kind?.name ?? found.estimator;
  const space = Object.entries(found.space).filter(fits).map(([one, values]) => ({ name: one, text: Array.isArray(values) ? values.map(written).join(",") : `${values.low}..${values.high}` }));
  return { estimator, parameters: Object.entries(found.parameters).filter(fits), search: found.search, space, trials: found.trials, folds: found.folds, template: name, sentence: "" };
}

function parameterFields(form, { field }) {
  const { draft } = form;
  const kind = known?.estimators.find((one) => one.name === draft.model.estimator);
  if (!kind) return null;
  const side = draft.task === "regression" ? "numbers" : "classes";
  const there = Object.entries(kind.parameters).filter(([, one]) => !one.only || one.only === side);
  const searching = draft.model.search !== "none";
  const set = (name, value) => {
    const others = draft.model.parameters.filter(([one]) => one !== name);
    form.set("model", { ...draft.model, parameters: value.trim() ? [...others, [name, value.trim()]] : others });
  };
  const searchIn = (name, value) => {
    const others = draft.model.space.filter((one) => one.name !== name);
    form.set("model", { ...draft.model, space: value.trim() ? [...others, { name, text: value.trim() }] : others });
  };
  const row = ([name, one]) => {
    const value = new Map(draft.model.parameters).get(name);
    const searched = draft.model.space.find((found) => found.name === name);
    return field(
      name.replaceAll("_", " "),
      h("span", { class: "mw-model-inputs" },
        text(`model-${name}`, value === undefined ? "" : written(value), (next) => set(name, next), written(one.default)),
        searching && one.part === "model" && text(`space-${name}`, searched ? spaceText(searched) : "", (next) => searchIn(name, next), `search: ${usual(one, draft.model.search)}`)),
      `${one.meaning} ${allowed(one)}`,
    );
  };
  return h(
    "div",
    {},
    h("p", { class: "mw-faint" }, searching ? "Left empty: the usual value. Below it what is searched: values like 3,6,9, or a range like 0.01..0.3; when nothing is named there, the usual ranges are." : "Left empty: the usual value, shown in grey."),
    h("div", { class: "mw-fields" }, there.map(row)),
    h("div", { class: "mw-fields" }, field("Save as a template", text("model_save", draft.model.save_as ?? "", (name) => form.set("model", withName(draft.model, name))), "A name: with “Apply changes” this choice is kept for other tables, too.")),
  );
}

function withName(model, name) {
  const { save_as: _, ...rest } = model;
  return name.trim() ? { ...rest, save_as: name.trim() } : rest;
}

function usual(one, search) {
  if (search === "grid") return one.grid?.length > 1 ? one.grid.map(written).join(",") : "not searched";
  return one.range ? one.range.join("..") : one.grid?.length > 1 ? one.grid.map(written).join(",") : "not searched";
}

function allowed(one) {
  const ways = [...one.choices];
  if (one.kind === "integer" || one.kind === "number") ways.unshift(`${one.above ? "above " : ""}${one.low} to ${one.high}`);
  if (one.none) ways.push("none");
  return `(${ways.join(", ")})`;
}

const text = (name, value, onchange, placeholder = "") =>
  h("input", { class: "mw-input", type: "text", maxlength: 200, "data-field": name, value, placeholder, title: placeholder, oninput: (event) => onchange(event.target.value) });
