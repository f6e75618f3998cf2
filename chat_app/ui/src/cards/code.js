// Gate 2: the script, what the critic says about it, and what it will be able to do.
import { fileText } from "../api.js";
import { codeEditor } from "../editor.js";
import { button, fill, fold, h, icon } from "../dom.js";
import { plural } from "../format.js";
import { decider, gateCard, never, rejecting, runsIn } from "../gate.js";
import { reveal } from "../store.js";

const AUTHORS = { recipe: "our recipe", model: "written by the model", user: "your version" };
const MARKS = { note: "question", warning: "warning", error: "cross", security: "shield" };

export function codeCard(props) {
  const card = gateCard({ kind: "code", symbol: "fileCode", title: "Training script" });
  let last = "";
  function update(next) {
    card.settle(next.open, next.decided);
    const { code, attempt, author } = next.payload;
    card.rename(titleOf(next.gate, attempt), `${plural(code === undefined ? next.payload.lines : code.trimEnd().split("\n").length, "line")} · ${AUTHORS[author] ?? author}`);
    card.root.dataset.gate = next.gate;
    const now = JSON.stringify([next.payload, next.open, next.title]);
    if (now === last) return;
    last = now;
    fill(card.body, code === undefined ? fetched(next) : content(next));
    if (next.open) reveal(card.root, next.project, true);
  }
  update(props);
  return { root: card.root, update };
}

/** Approved by the project's settings: the text is fetched when somebody wants to read it. */
function fetched(props) {
  const place = h("div", {});
  const show = button("Show the script", {
    symbol: "fileCode",
    onclick: async () => {
      const code = await fileText(props.project, props.payload.code_hash).catch(() => "# The script could not be fetched.\n");
      fill(place, content({ ...props, payload: { ...props.payload, code } }));
    },
  });
  return fill(place, show);
}

function content(props) {
  const { code, findings = [], effects = {}, diff = "", note = "", can_approve: allowed } = props.payload;
  const words = h("p", { class: "mw-error", role: "alert" });
  const bar = h("div", { class: "mw-actions" });
  const send = decider(props, bar, words);
  const place = h("div", { class: "mw-editor", "data-editor": props.interrupt_id });
  let editor = codeEditor(code);
  place.append(editor.root);
  editor.findings(findings);
  const forbidden = allowed === false || findings.some((finding) => finding.blocks && finding.severity === "security");
  const blocked = props.gate === "blocked";
  const refused = forbidden ? { ...never(true), title: "A security finding cannot be waved through." } : {};

  function reading() {
    editor.edit(false);
    place.dataset.mode = "read";
    fill(bar, props.open && [
      button(blocked ? "Run it anyway" : "Approve", { kind: blocked ? "warning" : "primary", symbol: blocked ? "warning" : "check", "data-action": "approve", ...refused, onclick: () => send({ action: "approve" }) }),
      !blocked && button("Approve the rest", { "data-action": "approve-rest", ...never(forbidden), title: "Do not ask again in this project", onclick: () => send({ action: "approve_rest" }) }),
      props.gate !== "script" && button("Edit", { symbol: "pencil", "data-action": "edit", onclick: editing }), // of the search: taken over when that is over
      ...rejecting(send),
    ]);
  }

  function editing() {
    editor.edit(true);
    place.dataset.mode = "edit";
    fill(bar, [
      button("Submit changes", { kind: "primary", symbol: "check", "data-action": "submit", onclick: () => send({ action: "edit", code: editor.text() }) }),
      button("Cancel", { "data-action": "cancel", onclick: () => (editor.reset(code), reading()) }),
      h("span", { class: "mw-faint" }, "Checked and shown again before it can run."),
    ]);
  }

  reading();
  return [
    special(props.title) && h("p", { class: "mw-lead", "data-title": "" }, blocked && icon("warning", "mw-warn"), props.title),
    note && h("p", { class: "mw-faint", "data-note": "" }, note),
    h("div", { class: "mw-effects" }, effectList(effects)),
    runsIn(props.payload.runs_in),
    findingList(findings, (line) => editor.jump(line)),
    diff && changes(diff, props.open),
    place,
    words,
    bar,
  ];
}

function findingList(findings, jump) {
  if (!findings.length) return h("p", { class: "mw-ok" }, icon("check"), "The critic has no objection: ruff, bandit and our own rules passed.");
  return h(
    "ul",
    { class: "mw-findings", "data-findings": findings.length },
    findings.map((finding) =>
      h("li", { class: `mw-severity-${finding.severity}` }, h("button", { type: "button", onclick: () => jump(finding.line) }, icon(MARKS[finding.severity]), h("span", {}, h("b", {}, `Line ${finding.line}`), ` ${finding.sentence} `, h("code", {}, finding.rule), finding.blocks && h("em", {}, " blocks")))),
    ),
  );
}

const EFFECTS = { network: "Network", reads: "Reads", writes: "Writes" };

function effectList(effects) {
  return Object.entries(effects).map(([name, value]) => h("span", { class: "mw-effect", "data-effect": name }, h("small", {}, EFFECTS[name] ?? name.replaceAll("_", " ")), String(value)));
}

function titleOf(gate, attempt) {
  if (gate === "script") return "A script of the improvement search";
  if (gate === "analysis") return attempt > 1 ? `Script for your question, number ${attempt}` : "Script for your question";
  return attempt > 1 ? `Training script, attempt ${attempt}` : "Training script";
}

/** The usual question needs no words: the buttons ask it. */
const special = (title) => Boolean(title) && title !== "May this script run?";

function changes(diff, open) {
  return fold("What changed", h("pre", { class: "mw-diff" }, diff.split("\n").map((line) => h("span", { class: line.startsWith("+") && !line.startsWith("+++") ? "mw-added" : line.startsWith("-") && !line.startsWith("---") ? "mw-removed" : "" }, `${line}\n`))), { open, "data-diff": "" });
}
