// The blueprint of a contract: which columns are computed, and the numbers that the report assumes. All can be changed.
import { fold, h } from "../dom.js";

/** `check` and `numeric` are the contract card's own controls. */
export function blueprintPart(form, { check, numeric, field }) {
  const part = form.draft.blueprint;
  if (!part) return null;
  const change = (changed) => form.set("blueprint", { ...form.draft.blueprint, ...changed });
  const replaced = (list, name, changed) => list.map((one) => (one.name === name ? { ...one, ...changed } : one));
  const computed = part.derived.map((one) =>
    h("div", {},
      check(`derived-${one.name}`, one.name.replaceAll("_", " "), one.use, (use) => change({ derived: replaced(form.draft.blueprint.derived, one.name, { use }) })),
      h("small", { class: "mw-faint" }, ` ${one.meaning} From ${one.sources.map(([, column]) => column).join(", ")}.`),
    ),
  );
  const stated = part.stated.map((one) =>
    field(one.name, numeric(form, `stated-${one.name}`, one.value, { min: 0, max: one.name === "success" ? 1 : 1e9 }, (value) => change({ stated: replaced(form.draft.blueprint.stated, one.name, { value }) })), one.meaning),
  );
  const lost = part.quality_parts.map(([name, points, sentence]) => h("li", {}, `${points} points for ${name}: ${sentence}`));
  return fold(
    `Blueprint: ${part.title} · ${part.derived.filter((one) => one.use).length} computed columns · data ${Math.round(part.quality)} of 100`,
    h("div", { "data-blueprint": part.name }, computed, lost.length > 0 && h("ul", {}, lost), stated.length > 0 && h("div", { class: "mw-fields" }, stated)),
    { class: "mw-columns" },
  );
}

/** Only what was changed: a computed column on or off, a stated number. */
export function changedBlueprint(draft, contract) {
  const patch = {};
  for (const [list, what] of [["derived", "use"], ["stated", "value"]]) {
    const before = new Map(contract[list].map((one) => [one.name, one[what]]));
    for (const one of draft[list]) if (one[what] !== before.get(one.name)) patch[one.name] = one[what];
  }
  return patch;
}
