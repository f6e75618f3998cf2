// One role of the settings: who is asked, with what, at which price; and a test of it.
import { configureRole, testRole } from "./api.js";
import { button, fill, fold, h, icon } from "./dom.js";
import { count, money, seconds } from "./format.js";

const ROLES = {
  reasoning: ["Reasoning", "Understands requests, improves plans, puts results into words.", ["sentence", "structured", "code"]],
  code: ["Code", "Writes and repairs scripts. Empty: the reasoning model does it.", ["sentence", "structured", "code"]],
  vision: ["Vision", "Reads pictures of tables and charts. Empty: pictures are not read.", ["sentence", "picture"]],
  fallback: ["Second choice", "Is asked for decisions and scripts when the first one cannot answer.", ["sentence", "structured", "code"]],
};
const TESTS = { sentence: "A sentence", structured: "A structured answer", code: "A code request", picture: "A picture" };
const MODES = { json_schema: "JSON schema", tool: "named tool", json_object: "any JSON", text: "words alone" };

const MAIN = [
  ["base_url", "Address", { type: "url", placeholder: "http://localhost:11434/v1", spellcheck: "false" }],
  ["model", "Model", { placeholder: "qwen3:8b", spellcheck: "false" }],
];
const FURTHER = [
  ["temperature", "Temperature", { inputmode: "decimal", placeholder: "the server's own" }],
  ["context_tokens", "Context, tokens", { inputmode: "numeric" }],
  ["price_in", "Price per million tokens sent", { inputmode: "decimal" }],
  ["price_out", "Price per million tokens answered", { inputmode: "decimal" }],
  ["seconds", "Deadline of an answer, seconds", { inputmode: "decimal" }],
];

/** {root, update(role, saved)}; `redraw` is told the settings and the role after each change, `tested` after a test. */
export function roleForm(first, redraw, tested) {
  const [title, purpose, tests] = ROLES[first.role];
  const state = h("span", { class: "mw-pill" });
  const words = h("p", { class: "mw-error", role: "alert" });
  const said = h("span", { class: "mw-said", role: "status" });
  const bar = h("div", { class: "mw-actions" });
  const results = h("div", { class: "mw-tests", "aria-live": "polite" });
  const inputs = new Map();
  let role = first;
  let before = {};

  const field = ([name, label, more]) => {
    const input = h("input", { class: "mw-input", autocomplete: "off", ...more, "data-field": name });
    inputs.set(name, input);
    return h("label", { class: "mw-field" }, label, input);
  };
  const key = h("input", { class: "mw-input", type: "password", autocomplete: "new-password", "data-field": "key" });
  const noKey = h("input", { type: "checkbox", "data-field": "no-key", onchange: () => (key.disabled = noKey.checked) });
  const forget = h("label", { class: "mw-check" }, noKey, "forget the key");
  const form = h("form", { class: "mw-settings-form", novalidate: true, onsubmit: submitted }, h("div", { class: "mw-fields mw-wide" }, MAIN.map(field), h("label", { class: "mw-field" }, "Key", key, forget)), fold("Temperature, context, prices", h("div", { class: "mw-fields" }, FURTHER.map(field))), words, bar);

  function submitted(event) {
    event.preventDefault();
    save();
  }

  const typed = () => Object.fromEntries([...inputs].map(([name, input]) => [name, input.value.trim()]));

  /** What is typed and not saved stays, unless it was this form that was `saved`. */
  function show(saved) {
    const kept = saved ? {} : Object.fromEntries(Object.entries(typed()).filter(([name, value]) => name in before && value !== before[name]));
    const where = { environment: "from the environment", here: "set here", none: "" }[role.source];
    state.textContent = role.base_url ? `${role.model}${where ? `, ${where}` : ""}` : stoodIn(role);
    state.className = `mw-pill mw-clip ${role.base_url ? "mw-is-done" : ""}`;
    for (const [name, input] of inputs) input.value = role[name] === null || role[name] === undefined ? "" : String(role[name]);
    before = typed();
    for (const [name, value] of Object.entries(kept)) inputs.get(name).value = value;
    if (saved) {
      key.value = "";
      key.disabled = noKey.checked = false;
    }
    key.placeholder = role.key_set ? "is set; type to replace it" : "where the server wants one";
    forget.hidden = !role.key_set;
    fill(bar, button("Save", { kind: "primary", type: "submit", "data-action": "save" }), (role.base_url || role.answers.length > 0) && button("Test", { symbol: "play", "data-action": "test", onclick: test }), role.source === "here" && button("Undo what was set here", { "data-action": "reset", onclick: () => send({ reset: true }) }), role.base_url && role.source !== "here" && button("Switch off", { "data-action": "off", onclick: () => send({ off: true }) }), said);
  }

  /** Only what was changed: the rest stays as the environment says. */
  function changes() {
    const now = typed();
    const wanted = {};
    for (const [name, value] of Object.entries(now)) {
      if (value === before[name]) continue;
      wanted[name] = name === "base_url" || name === "model" ? value : value === "" ? null : Number(value);
      if (Number.isNaN(wanted[name]) || (value === "" && name !== "temperature" && wanted[name] === null)) return wrong(name);
    }
    if (noKey.checked) wanted.key = "";
    else if (key.value) wanted.key = key.value;
    return wanted;
  }

  function wrong(name) {
    words.textContent = `${inputs.get(name).closest("label").firstChild.textContent}: please give a number.`;
    inputs.get(name).focus();
    return undefined;
  }

  function save() {
    words.textContent = said.textContent = "";
    const wanted = changes();
    if (!wanted) return undefined;
    if (Object.keys(wanted).length) return send(wanted);
    said.textContent = "Nothing was changed.";
    return undefined;
  }

  async function send(fields) {
    words.textContent = "";
    fill(results);
    const reply = await configureRole(role.role, fields);
    if (!reply.accepted) {
      words.textContent = inWords(reply.sentence);
      return;
    }
    const focused = bar.contains(document.activeElement);
    redraw(reply.settings, role.role);
    fill(said, icon("check"), "Saved");
    if (focused) bar.querySelector("button")?.focus();
  }

  async function test(event) {
    const wanted = changes();
    if (wanted === undefined) return;
    if (Object.keys(wanted).length) await send(wanted); // what is tried is what stands in the fields
    if (words.textContent) return;
    const go = event.currentTarget ?? bar.querySelector('[data-action="test"]');
    go.disabled = true;
    const table = h("ul", { class: "mw-test-list" });
    fill(results, table);
    for (const what of tests) {
      const line = h("li", { "data-test": what }, icon("loader", "mw-spin"), h("span", {}, h("b", {}, TESTS[what])));
      table.append(line);
      const found = await testRole(role.role, what);
      line.dataset.ok = String(found.ok === true);
      fill(line, ...outcome(what, found));
      if (!found.ok && what === "sentence") break; // who cannot say a sentence is asked nothing more
    }
    go.disabled = false;
    if (document.activeElement === document.body) go.focus(); // a disabled button loses the focus
    tested();
  }

  const root = h("details", { class: "mw-role-card", "data-role": first.role, open: first.role === "reasoning" || Boolean(first.base_url) }, h("summary", {}, icon("chevron", "mw-turn"), h("b", {}, title), state), h("div", { class: "mw-role-body" }, h("p", { class: "mw-faint" }, purpose), form, results));
  return { root, update: (next, saved) => ((role = next), show(saved)) };
}

/** The server names a field as its API does. */
function inWords(sentence) {
  const [, name, rest] = sentence.match(/^(\w+): (.*)$/s) ?? [];
  const label = [...MAIN, ...FURTHER, ["key", "Key"]].find(([known]) => known === name)?.[1];
  return label ? `${label}: ${rest}` : sentence;
}

const stoodIn = (role) => (role.answers.length ? `none; ${role.answers[0]} is asked` : "none");

/** One test, in words: what was seen, how long it took, what it used, and what to do where it failed. */
function outcome(what, found) {
  const figures = [
    found.seconds > 0 && seconds(found.seconds),
    found.first_seconds != null && `first word after ${seconds(found.first_seconds)}`,
    found.tokens_in + found.tokens_out > 0 && `${found.estimated ? "about " : ""}${count(found.tokens_in)} tokens sent, ${count(found.tokens_out)} answered`,
    found.cost > 0 && `${money(found.cost)} in money`,
  ].filter(Boolean);
  const modes = (found.modes ?? []).map(([mode, works]) => h("span", { class: `mw-mode ${works ? "mw-good" : "mw-faint"}`, "data-mode": mode, "data-works": String(works) }, icon(works ? "check" : "dash"), MODES[mode] ?? mode, h("span", { class: "sr-only" }, works ? " works" : " does not work")));
  return [
    icon(found.ok ? "check" : "cross", found.ok ? "mw-good" : "mw-bad"),
    h("div", {}, h("b", {}, TESTS[what]), " ", h("span", {}, found.sentence), found.advice && h("p", {}, found.advice), figures.length > 0 && h("p", { class: "mw-faint" }, figures.join(" · ")), modes.length > 0 && h("p", { class: "mw-modes" }, modes), found.answer && h("pre", { class: "mw-answer", tabindex: "0" }, found.answer)),
  ];
}
