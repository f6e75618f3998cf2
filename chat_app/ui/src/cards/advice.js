// What a language model advised about a plan: columns computed on its advice (each can be switched off), and changes that
// nothing in the table supports, each made with one click.
import { button, fold, h } from "../dom.js";

const WORDS = { ratio: (a, b) => `${a} divided by ${b}`, difference: (a, b) => `${a} less ${b}`, sum: (a, b) => `${a} plus ${b}`, product: (a, b) => `${a} times ${b}`, log: (a) => `the logarithm of ${a}`, bin: (a) => `the range into which ${a} falls`, days_between: (a, b) => `the days from ${a} to ${b}` };

const how = (one) => (WORDS[one.operation] ?? ((a) => `the ${one.operation} of ${a}`))(...one.sources.map((name) => `“${name}”`));

/** `check` is the contract card's own control. */
export function formulaPart(form, { check }) {
  const formulas = form.draft.formulas ?? [];
  if (!formulas.length) return null;
  const flip = (name, use) => form.set("formulas", form.draft.formulas.map((one) => (one.name === name ? { ...one, use } : one)));
  const rows = formulas.map((one) =>
    h("div", {},
      check(`formula-${one.name}`, one.name.replaceAll("_", " "), one.use, (use) => flip(one.name, use)),
      h("small", { class: "mw-faint" }, ` ${how(one)}. ${one.reason ? `${one.reason} (${one.by}).` : `${one.by}.`}`),
    ),
  );
  const on = formulas.filter((one) => one.use).length;
  return fold(`Computed on advice · ${on} of ${formulas.length} on`, h("div", { "data-formulas": formulas.length }, rows), { class: "mw-columns", open: true });
}

/** Only what was switched. */
export function changedFormulas(draft, contract) {
  const before = new Map(contract.map((one) => [one.name, one.use]));
  return draft.filter((one) => one.use !== before.get(one.name)).map(({ name, use }) => ({ name, use }));
}

/** `make` sends a change of the contract; without it the proposals are only read. */
export function proposalList(proposals, make) {
  if (!proposals?.length) return null;
  return h(
    "ul",
    { class: "mw-problems mw-proposals", "data-proposals": proposals.length, "aria-label": "Proposed by a language model" },
    proposals.map((one) => h("li", {}, h("span", {}, one.sentence, " ", make && button(one.label, { class: "mw-repair", "data-action": "propose", title: "Changes the plan and shows it again; nothing runs before you approve it.", onclick: () => make(one.changes) })))),
  );
}
