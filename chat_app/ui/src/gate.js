// What every gate has in common: the frame, the buttons, and how the decision is shown afterwards.
import { tell } from "./api.js";
import { button, fill, h, icon } from "./dom.js";
import { clock } from "./format.js";

const DONE = { approve: "Approved", approve_rest: "Approved, and everything after it", edit: "Changed", reject: "Rejected", answer: "Answered", superseded: "No longer needed" };

/** A card with a head that says what it is and how it ended; closed cards fold away. */
export function gateCard({ kind, symbol, title, note }) {
  const state = h("span", { class: "mw-gate-state" });
  const body = h("div", { class: "mw-card-body" });
  const toggle = h("button", { type: "button", class: "mw-card-head", onclick: () => (root.dataset.folded = String(root.dataset.folded !== "true")) }, icon(symbol), h("span", { class: "mw-card-title" }, title), h("span", { class: "mw-faint mw-clip mw-note-text" }, note), h("span", { class: "mw-grow" }), state, icon("chevron", "mw-turn"));
  const root = h("section", { class: "mw-card", "data-card": kind }, toggle, body);
  return {
    root,
    body,
    rename: (text, aside) => {
      toggle.querySelector(".mw-card-title").textContent = text;
      toggle.querySelector(".mw-note-text").textContent = aside ?? "";
    },
    /** open: waits for a person; otherwise `decided` says how it ended. */
    settle: (open, decided) => {
      const before = root.dataset.status;
      root.dataset.status = open ? "waiting" : "decided";
      root.dataset.action = decided?.action ?? "";
      if (before !== root.dataset.status) root.dataset.folded = String(!open);
      const who = decided?.by === "policy" ? "by the project's settings" : clock(decided?.at);
      fill(state, open ? [icon("pause"), "Waiting for you"] : decided && [icon(decided?.action === "reject" ? "cross" : "check"), `${DONE[decided?.action] ?? "Closed"} ${who ? `· ${who}` : ""}`]);
    },
  };
}

/**
 * Sends decisions of one interrupt. A second click while one is under way does nothing; what the server refuses is said,
 * in sight, and in the bar where it has a hint.
 */
export function decider(props, bar, words) {
  let busy = false;
  return async (decision) => {
    if (busy) return;
    busy = true;
    lock(bar, true);
    words.textContent = "";
    const reply = await tell(props.project, "decide", { interrupt_id: props.interrupt_id, decision });
    if (!reply.accepted) {
      words.textContent = reply.sentence;
      const hint = bar.querySelector("[data-hint]");
      if (hint) {
        hint.textContent = `Not applied: ${reply.sentence}`;
        hint.className = "mw-error";
      }
      words.scrollIntoView({ block: "center" }); // nearest would be under the bar of buttons
      lock(bar, false);
      busy = false;
    }
  };
}

/** What stays pressed out whatever the server says, e.g. while a field is not valid. */
export const never = (on) => (on ? { disabled: true, "data-never": "true" } : {});

function lock(bar, on) {
  for (const control of bar.querySelectorAll("button, input, textarea")) control.disabled = on || control.dataset.never === "true";
}

/** Isolation and limits of the run in one line; what a reduced level leaves open stands below it. */
export function runsIn(about) {
  if (!about) return null;
  const [level, ...limits] = about.line.split(" · ");
  return h(
    "div",
    { class: "mw-runs-in", "data-runs-in": about.warning ? "reduced" : "" },
    h("p", {}, icon(about.warning ? "warning" : "shield"), h("span", {}, h("small", {}, "Runs in "), h("b", {}, level), ` · ${limits.map((one) => one.replaceAll(" ", "\u00a0")).join(" · ")}`)),
    about.warning && h("p", { class: "mw-note-plain" }, about.warning.replaceAll("`", "")),
  );
}

/** "Reject" that asks for the reason first. */
export function rejecting(send) {
  const reason = h("input", { class: "mw-input", placeholder: "Why? (what should be different)", "aria-label": "Reason", onkeydown: (event) => event.key === "Enter" && send({ action: "reject", reason: reason.value }) });
  const more = h("span", { class: "mw-reason", hidden: true }, reason, button("Reject", { kind: "danger", "data-action": "reject-send", onclick: () => send({ action: "reject", reason: reason.value }) }));
  const ask = button("Reject…", { "data-action": "reject", onclick: () => ((more.hidden = !more.hidden), more.hidden || reason.focus()) });
  return [ask, more];
}
