// The improvement search: a tree of scripts, each of which can be read, compared with another and taken over.
import { fileText, tell } from "../api.js";
import { button, fill, h, icon } from "../dom.js";
import { codeEditor } from "../editor.js";
import { metricName, number, plural, seconds } from "../format.js";

const KINDS = { recipe: "Recipe", draft: "Draft", debug: "Repair", improve: "Improvement" };
const MARKS = { running: "loader", scored: "check", failed: "cross", blocked: "shield", refused: "cross" };
const WORDS = { running: "is being tried", scored: "tried", failed: "did not run", blocked: "stopped by the critic", refused: "refused by you" };

export function searchCard(props) {
  const head = h("div", { class: "mw-card-head mw-still" });
  const lead = h("div", {});
  const tree = h("div", { class: "mw-tree" });
  const detail = h("div", { class: "mw-node-detail", "aria-live": "polite" });
  const root = h("section", { class: "mw-card", "data-card": "search" }, head, h("div", { class: "mw-card-body" }, lead, tree, detail));
  let now = props;
  let chosen = null;
  let drawn = "";

  function choose(node) {
    chosen = chosen === node ? null : node;
    draw();
    show();
  }

  function draw() {
    const { nodes, ended } = now;
    root.dataset.nodes = nodes.length;
    fill(head, icon("tree"), h("span", { class: "mw-card-title" }, "Improvement search"), h("span", { class: "mw-grow" }), h("span", { class: "mw-gate-state" }, ended ? `${plural(ended.tried, "script")} tried` : [icon("loader", "mw-spin"), "Searching"]));
    fill(lead, ended ? h("p", { class: "mw-verdict-text mw-plain", "data-search-end": ended.chosen }, ended.sentence, onSealed(ended)) : h("p", { class: "mw-faint" }, "Scores here are on training rows that the script did not have; the sealed rows are looked at once, for the script that is chosen."));
    const known = new Set(nodes.map((node) => node.node));
    fill(tree, branch(nodes.filter((node) => node.parent === null || !known.has(node.parent))));
  }

  function branch(level) {
    return h("ul", {}, level.map((node) => h("li", {}, line(node), children(node).length > 0 && branch(children(node)))));
  }

  const children = (node) => now.nodes.filter((one) => one.parent === node.node);

  function line(node) {
    const won = now.ended && now.ended.chosen === node.node;
    return h(
      "button",
      { type: "button", class: "mw-node", "data-node": node.node, "data-node-status": node.status, "aria-expanded": String(chosen === node.node), onclick: () => choose(node.node) },
      icon(MARKS[node.status], node.status === "running" ? "mw-spin" : node.status === "scored" ? "mw-good" : "mw-bad"),
      h("span", { class: "mw-node-name" }, h("b", {}, label(node)), h("span", { class: "sr-only" }, `, ${WORDS[node.status]}`), node.idea && h("span", { class: "mw-faint" }, node.idea)),
      won ? h("span", { class: "mw-pill mw-is-done" }, "the result") : node.best && h("span", { class: "mw-pill" }, "best here"),
      node.value !== null && h("span", { class: "mw-num mw-node-score", title: `${metricName(node.metric)}, 95 %: ${number(node.ci_low)} to ${number(node.ci_high)}` }, number(node.value), node.gain !== null && node.node !== 0 && h("small", { class: gained(node) }, signed(node.gain))),
    );
  }

  /** What is known of the chosen node, and its script. */
  async function show() {
    const node = now.nodes.find((one) => one.node === chosen);
    if (!node) return fill(detail);
    const place = h("div", {});
    const words = h("p", { class: "mw-error", role: "alert" });
    const others = now.nodes.filter((one) => one.node !== node.node);
    const against = h("select", { class: "mw-select mw-small", "data-field": "against", "aria-label": "Compare with", onchange: () => load() }, h("option", { value: "" }, "the script alone"), others.map((one) => h("option", { value: String(one.node) }, `difference from ${label(one)}`)));
    const preferred = others.find((one) => one.node === node.parent);
    against.value = preferred ? String(preferred.node) : "";
    async function load() {
      const other = now.nodes.find((one) => String(one.node) === against.value);
      try {
        const [code, original] = await Promise.all([fileText(now.project, node.code_hash), other && fileText(now.project, other.code_hash)]);
        place.dataset.mode = other ? "difference" : "script";
        fill(place, h("div", { class: "mw-editor", "data-code-of": node.node }, codeEditor(code, { original }).root));
      } catch {
        fill(place, h("p", { class: "mw-error" }, "The script could not be fetched; is the server running?"));
      }
    }
    fill(
      detail,
      h("p", {}, h("b", {}, label(node)), ": ", node.sentence || WORDS[node.status]),
      node.value !== null && h("p", { class: "mw-faint" }, figures(node)),
      h("div", { class: "mw-actions" }, against, button("Take this script over", { symbol: "pencil", "data-action": "take-over", title: "Opens it at the code gate as your version; nothing runs before you approve it.", onclick: (event) => takeOver(event.currentTarget, node, words) })),
      words,
      place,
    );
    await load();
  }

  async function takeOver(go, node, words) {
    go.disabled = true;
    words.textContent = "";
    const reply = await tell(now.project, "rewind", { stage: "TRAIN", script: node.code_hash });
    if (!reply.accepted) words.textContent = reply.sentence;
    go.disabled = false;
  }

  function update(next) {
    now = next;
    const state = JSON.stringify([next.nodes, next.ended]);
    if (state === drawn) return;
    drawn = state;
    const held = document.activeElement?.closest?.("[data-node]")?.dataset.node;
    draw();
    if (held !== undefined) tree.querySelector(`[data-node="${held}"]`)?.focus();
  }

  update(props);
  return { root, update };
}

const label = (node) => (node.node === 0 ? KINDS.recipe : `${KINDS[node.kind]} ${node.node}`);

const signed = (value) => `${value > 0 ? "+" : value < 0 ? "−" : "±"}${number(Math.abs(value))}`;

/** A gain is one only where its interval says so. */
const gained = (node) => (node.gain_low > 0 ? "mw-good" : node.gain_high < 0 ? "mw-bad" : "mw-faint");

function figures(node) {
  const interval = node.ci_low === null ? "" : ` (95 %: ${number(node.ci_low)} to ${number(node.ci_high)})`;
  const gain = node.gain === null || node.node === 0 ? "" : `; against the recipe ${signed(node.gain)}${node.gain_low === null ? "" : ` (${signed(node.gain_low)} to ${signed(node.gain_high)})`}`;
  return `${metricName(node.metric)} ${number(node.value)}${interval}${gain}${node.seconds ? `; ${seconds(node.seconds)}` : ""}`;
}

function onSealed(ended) {
  if (ended.gain === null || ended.gain === undefined) return null;
  return h("span", { class: "mw-faint" }, ` On the sealed rows: ${signed(ended.gain)}${ended.gain_low === null ? "" : ` (${signed(ended.gain_low)} to ${signed(ended.gain_high)})`}; ${plural(ended.looks, "look")} at them so far.`);
}
