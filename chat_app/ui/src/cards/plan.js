// A message of several requests: its steps in their order, to be changed while it asks, and what became of each.
import { button, fill, h, icon } from "../dom.js";
import { plural } from "../format.js";
import { decider, gateCard, never, rejecting } from "../gate.js";
import { reveal } from "../store.js";

const MARKS = { waiting: "circle", running: "loader", done: "check", failed: "cross", skipped: "dash" };
const WORDS = { waiting: "waits", running: "is being done", done: "done", failed: "did not work", skipped: "not done" };
const KINDS = { prepare: "preparation", profile: "description", model: "model", revise: "change", predict: "predictions", why: "reasons", explain: "explanation", analyse: "analysis" };

export function planCard(props) {
  const card = gateCard({ kind: "plan", symbol: "list", title: "Plan" });
  let last = "";
  let redrawn = false; // its own end folds it once, not every change
  function update(next) {
    card.settle(next.open === true, next.decided);
    if (!next.open) card.root.dataset.folded = String(redrawn && allOver(next.steps) && card.root.dataset.folded === "true");
    redrawn = true;
    card.rename(`Plan of ${plural(next.steps.length, "step")}`, progress(next.steps));
    const now = JSON.stringify([next.steps, next.open, next.interrupt_id, next.reason]);
    if (now === last) return;
    last = now;
    fill(card.body, next.open ? asked(next) : told(next));
    if (next.open) reveal(card.root, next.project, true);
  }
  update(props);
  return { root: card.root, update };
}

const allOver = (steps) => steps.every((step) => !["waiting", "running"].includes(step.status));

function progress(steps) {
  const [done, failed, skipped] = ["done", "failed", "skipped"].map((status) => steps.filter((step) => step.status === status).length);
  const running = steps.findIndex((step) => step.status === "running");
  if (running >= 0) return `step ${running + 1} of ${steps.length}`;
  return [done && `${done} done`, failed && `${failed} did not work`, skipped && `${skipped} not done`].filter(Boolean).join(", ");
}

const origin = ({ by, reason }) => (reason || !["expert", "user"].includes(by)) && h("p", { class: "mw-faint" }, reason || `Proposed by ${by}.`);

/** As it goes on: the mark of each step, what it needs and what came of it. */
function told(props) {
  return [
    origin(props),
    h(
      "ol",
      { class: "mw-steps" },
      props.steps.map((step, place) =>
        h("li", { "data-step": step.id, "data-step-status": step.status }, icon(MARKS[step.status], step.status === "running" ? "mw-spin" : ""), h("div", {}, h("span", {}, `${place + 1}. ${step.text}`), h("span", { class: "sr-only" }, ` ${WORDS[step.status]}`), about(step, props.steps), step.note && h("p", { class: "mw-faint" }, step.note))),
      ),
    ),
  ];
}

/** `steps` as they stand now: what comes later cannot be needed. */
function about(step, steps) {
  const own = steps.findIndex((one) => one.id === step.id);
  const needs = step.depends_on.map((id) => steps.findIndex((one) => one.id === id) + 1).filter((place) => place > 0 && place <= own);
  const words = [KINDS[step.kind], needs.length && `needs ${needs.length > 1 ? "steps" : "step"} ${needs.join(" and ")}`].filter(Boolean);
  return words.length > 0 && h("small", { class: "mw-faint" }, words.join(" · "));
}

/** As it asks: every step can be reworded, moved and removed. What is sent is what is shown. */
function asked(props) {
  const most = props.payload?.most_steps ?? 8;
  const longest = props.payload?.most_characters ?? 1000;
  const before = props.steps.map(({ id, text }) => ({ id, text }));
  let draft = structuredClone(before);
  const words = h("p", { class: "mw-error", role: "alert" });
  const bar = h("div", { class: "mw-actions" });
  const list = h("ol", { class: "mw-steps mw-steps-asked" });
  const said = h("span", { class: "sr-only", role: "status" });
  const send = decider(props, bar, words);
  const add = button("Add a step", { "data-action": "add", onclick: () => change([...draft, { id: null, text: "" }], draft.length, "text") });

  function touched() {
    const edited = JSON.stringify(draft) !== JSON.stringify(before);
    const empty = draft.length === 0 || draft.some((step) => !step.text.trim());
    add.disabled = draft.length >= most;
    fill(
      bar,
      edited
        ? [
            button("Apply changes", { kind: "primary", symbol: "check", "data-action": "apply", ...never(empty), onclick: () => send({ action: "edit", steps: draft.map((step) => (step.id ? step : { text: step.text })) }) }),
            button("Undo", { "data-action": "undo", onclick: () => change(structuredClone(before), 0, "text") }),
            h("span", { class: "mw-faint", "data-hint": "" }, empty ? "Every step needs words; remove what is not wanted." : "Shown again before anything is done."),
          ]
        : [
            button("Approve", { kind: "primary", symbol: "check", "data-action": "approve", onclick: () => send({ action: "approve" }) }),
            button("Approve the rest", { "data-action": "approve-rest", title: "Do not ask again in this project", onclick: () => send({ action: "approve_rest" }) }),
            ...rejecting(send),
          ],
    );
  }

  function change(steps, place, part) {
    draft = steps;
    words.textContent = "";
    drawAll();
    const row = list.children[Math.min(place, steps.length - 1)];
    const control = row?.querySelector(`[data-part="${part}"]:not(:disabled)`) ?? row?.querySelector(".mw-tool:not(:disabled)");
    (control ?? add).focus();
  }

  function move(place, by) {
    const steps = [...draft];
    steps.splice(place + by, 0, ...steps.splice(place, 1));
    change(steps, place + by, by < 0 ? "up" : "down");
    said.textContent = `Now step ${place + by + 1} of ${steps.length}.`;
  }

  function row(step, place) {
    const known = props.steps.find((one) => one.id === step.id);
    const input = h("textarea", { class: "mw-input mw-grows", rows: 1, value: step.text, maxlength: longest, "data-part": "text", "aria-label": `Step ${place + 1}`, onkeydown: (event) => event.key === "Enter" && event.preventDefault(), oninput: () => ((step.text = input.value.replaceAll("\n", " ")), touched()) });
    const tool = (part, symbol, label, off, then) => h("button", { type: "button", class: "mw-tool", "data-part": part, title: label, "aria-label": `${label}, step ${place + 1}`, disabled: off, onclick: then }, icon(symbol));
    return h(
      "li",
      { "data-step": step.id ?? "new" },
      h("span", { class: "mw-step-number", "aria-hidden": "true" }, `${place + 1}.`),
      h("div", {}, input, known && about(known, draft)),
      h("span", { class: "mw-tools" }, tool("up", "up", "Move up", place === 0, () => move(place, -1)), tool("down", "down", "Move down", place === draft.length - 1, () => move(place, 1)), tool("remove", "cross", "Remove", false, () => change(draft.filter((one) => one !== step), place, "remove"))),
    );
  }

  function drawAll() {
    fill(list, draft.map(row));
    touched();
  }

  drawAll();
  return [
    h("p", { class: "mw-lead" }, props.title || "Your message asks for several things. They are done in this order, each with its own questions to you."),
    origin(props),
    list,
    h("div", {}, add, said),
    words,
    bar,
  ];
}
