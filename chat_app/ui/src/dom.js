// DOM without a framework: elements from plain calls, text always as text (never as HTML).
import archive from "lucide-static/icons/archive.svg";
import check from "lucide-static/icons/check.svg";
import chevron from "lucide-static/icons/chevron-down.svg";
import circle from "lucide-static/icons/circle.svg";
import cross from "lucide-static/icons/x.svg";
import dash from "lucide-static/icons/minus.svg";
import download from "lucide-static/icons/download.svg";
import file from "lucide-static/icons/file-text.svg";
import fileCode from "lucide-static/icons/file-code-2.svg";
import flask from "lucide-static/icons/flask-conical.svg";
import gear from "lucide-static/icons/settings.svg";
import gauge from "lucide-static/icons/gauge.svg";
import handshake from "lucide-static/icons/clipboard-check.svg";
import hash from "lucide-static/icons/hash.svg";
import image from "lucide-static/icons/chart-column.svg";
import loader from "lucide-static/icons/loader-circle.svg";
import notebook from "lucide-static/icons/notebook-text.svg";
import panel from "lucide-static/icons/panel-right-open.svg";
import pause from "lucide-static/icons/hand.svg";
import pencil from "lucide-static/icons/pencil.svg";
import up from "lucide-static/icons/arrow-up.svg";
import down from "lucide-static/icons/arrow-down.svg";
import tree from "lucide-static/icons/git-branch.svg";
import list from "lucide-static/icons/list-ordered.svg";
import play from "lucide-static/icons/play.svg";
import question from "lucide-static/icons/circle-question-mark.svg";
import shield from "lucide-static/icons/shield-check.svg";
import stop from "lucide-static/icons/square.svg";
import table from "lucide-static/icons/table-2.svg";
import target from "lucide-static/icons/target.svg";
import text from "lucide-static/icons/type.svg";
import calendar from "lucide-static/icons/calendar.svg";
import tags from "lucide-static/icons/tags.svg";
import toggle from "lucide-static/icons/toggle-left.svg";
import model from "lucide-static/icons/box.svg";
import warning from "lucide-static/icons/triangle-alert.svg";
import user from "lucide-static/icons/user.svg";

const ICONS = {
  archive, calendar, check, chevron, circle, cross, dash, down, download, file, fileCode, flask, gauge, gear, handshake, hash,
  image, list, loader, model, notebook, panel, pause, pencil, play, question, shield, stop, table, tags, target, text, toggle,
  tree, up, user, warning,
};

/** h("div", {class: "a", onclick: f}, "text", child): null and false children are left out. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "open") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  add(node, children);
  return node;
}

function add(node, children) {
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Replace what is inside. */
export function fill(node, ...children) {
  node.replaceChildren();
  add(node, children);
  return node;
}

/** A drawing from our own list (constant markup of the bundle, nothing from outside). */
export function icon(name, extra = "") {
  const holder = document.createElement("span");
  holder.className = `mw-icon ${extra}`;
  holder.setAttribute("aria-hidden", "true");
  holder.innerHTML = ICONS[name] ?? ICONS.circle;
  return holder;
}

/** A button; `kind`: primary, quiet, danger. */
export function button(label, { kind = "quiet", symbol, ...attributes } = {}) {
  return h(
    "button",
    { type: "button", ...attributes, class: `mw-button mw-${kind} ${attributes.class ?? ""}` },
    symbol && icon(symbol),
    label,
  );
}

/** Rows of text for people: a title, and something to open. */
export function fold(summary, body, { open = false, ...attributes } = {}) {
  return h("details", { open, ...attributes, class: `mw-fold ${attributes.class ?? ""}` }, h("summary", {}, icon("chevron", "mw-turn"), summary), body);
}

/** Tabs: [{id, label, body: () => Node}]; bodies are made when first shown. */
export function tabs(items, { chosen, onchoose } = {}) {
  const made = new Map();
  const body = h("div", { class: "mw-tab-body" });
  const bar = h("div", { class: "mw-tabs", role: "tablist" });
  function show(id) {
    const item = items.find((one) => one.id === id) ?? items[0];
    if (!item) return;
    if (!made.has(item.id)) made.set(item.id, item.body());
    for (const tab of bar.children) tab.setAttribute("aria-selected", String(tab.dataset.tab === item.id));
    fill(body, made.get(item.id));
  }
  function choose(id) {
    show(id);
    onchoose?.(id);
  }
  for (const item of items) {
    bar.append(h("button", { type: "button", role: "tab", "data-tab": item.id, onclick: () => choose(item.id) }, item.label));
  }
  show(chosen ?? items[0]?.id);
  return h("div", { class: "mw-tabbed" }, bar, body);
}
