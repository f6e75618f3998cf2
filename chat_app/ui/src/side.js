// Chainlit shows side elements in a pane beside the conversation, on a narrow screen over it. Once closed it has no way
// to open it again: that is the small "Run" button at the top right.
import { h, icon } from "./dom.js";
import { liveState } from "./live.js";
import { shownProject } from "./store.js";

const NARROW = 768;
const panels = new Map(); // project -> props of its panel
const wanted = new Set();
let show; // Chainlit's setter of what the pane holds

/** Called by the panel's element whenever Chainlit draws it. */
export function panelWanted(props, setSide) {
  panels.set(props.project, props);
  show = setSide ?? show;
  keepAddress(props.project);
  watch();
  return window.innerWidth >= NARROW || wanted.has(props.project);
}

/** Chainlit gives a project its address in the list of chats, which a narrow screen does not show: then F5 would lose it. */
function keepAddress(project) {
  if (window.innerWidth < NARROW && window.location.pathname === "/") {
    window.history.replaceState(window.history.state, "", `/thread/${project}`);
  }
}

export function panelView(project) {
  wanted.add(project);
  const props = panels.get(project);
  if (!props) return undefined;
  return { title: "Run", elements: [{ id: props.key, threadId: project, type: "custom", name: "Run", display: "side", forId: "", props }] };
}

const isOpen = () => document.querySelector(".mw-panel") !== null;

function toggle() {
  const project = shownProject();
  if (!isOpen()) return show?.(panelView(project));
  wanted.delete(project);
  show?.(undefined);
}

const dot = h("i", {});
const opener = h("button", { type: "button", id: "mw-run-button", "data-action": "run", title: "Stages, curves, log and files of this project", onclick: toggle }, icon("panel"), "Run", dot);
let watched;

/** The button is there while a project with a panel is shown, and says whether the panel is. */
function watch() {
  if (watched) return;
  let queued = false;
  const place = () => {
    queued = false;
    const project = shownProject();
    opener.hidden = !project || !panels.has(project);
    opener.setAttribute("aria-expanded", String(isOpen()));
    if (project) dot.className = `mw-is-${liveState(project).state}`;
  };
  watched = new MutationObserver(() => {
    if (!queued) requestAnimationFrame(place);
    queued = true;
  });
  document.body.append(opener);
  watched.observe(document.getElementById("root") ?? document.body, { childList: true, subtree: true });
  place();
}
