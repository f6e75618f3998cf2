// Views live here, outside React: Chainlit evaluates and mounts an element anew at every update, so the real DOM is kept
// by key and only put back into place. What was typed, the scroll position and the focus survive.

const views = new Map(); // key -> {root, update, seq, focus, scrolls}
const factories = new Map(); // kind -> (props, say) => {root, update(props), live?(patch)}

export function define(kind, factory) {
  factories.set(kind, factory);
}

/** Show the view of `props.key` in `host`; props older than what is shown are ignored. */
export function mount(host, kind, props, say = {}) {
  if (!host) return;
  if (!firstSeen.has(props.project)) firstSeen.set(props.project, performance.now());
  let view = views.get(props.key);
  if (!view) {
    const made = factories.get(kind)(props, say);
    view = { ...made, kind, project: props.project, seq: props.seq ?? 0, focus: null, scrolls: new Map() };
    remember(view);
    views.set(props.key, view);
  } else if ((props.seq ?? 0) > view.seq) {
    view.seq = props.seq;
    view.update(props);
  }
  if (view.root.parentNode !== host) {
    host.replaceChildren(view.root);
    restore(view);
  }
}

/** Something live has changed in a project: its panel and its cards draw themselves again. */
export function spread(project) {
  for (const view of views.values()) if (view.project === project) view.live?.();
}

/** The project whose conversation is on the page. */
export function shownProject() {
  for (const view of views.values()) if (view.root.isConnected) return view.project;
  return undefined;
}

function remember(view) {
  const { root } = view;
  root.addEventListener("scroll", (event) => view.scrolls.set(event.target, event.target.scrollTop), true);
  root.addEventListener("focusin", (event) => (view.focus = event.target));
  root.addEventListener("focusout", () => setTimeout(() => root.isConnected && !root.contains(document.activeElement) && (view.focus = null)));
}

function restore(view) {
  for (const [node, top] of view.scrolls) if (node.isConnected) node.scrollTop = top;
  if (view.focus?.isConnected) view.focus.focus({ preventScroll: true });
}

const themeListeners = new Set();

export const isDark = () => document.documentElement.classList.contains("dark");

/** Canvas charts do not follow CSS: they are told. */
export function onTheme(listener) {
  themeListeners.add(listener);
  return () => themeListeners.delete(listener);
}

export function watchTheme() {
  let dark = isDark();
  new MutationObserver(() => {
    if (isDark() === dark) return;
    dark = isDark();
    for (const listener of themeListeners) listener(dark);
  }).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
}

const firstSeen = new Map(); // project -> when the page first drew something of it
const SETTLED = 2500; // ms: what is drawn later than this is news, not history

/** News (a question, a result) must not stay below the fold; `always` for what waits for the user. */
export function reveal(node, project, always = false) {
  const news = performance.now() - (firstSeen.get(project) ?? performance.now()) > SETTLED;
  setTimeout(() => {
    const shown = typeof node === "function" ? node() : node;
    if (news || always || isLast(shown)) bringUp(shown);
  }, 450);
}

/** Whoever comes back to a project sees where it ended. */
function isLast(node) {
  return [...document.querySelectorAll(".step")].at(-1)?.contains(node) ?? false;
}

function bringUp(node) {
  const pane = scroller(node);
  if (!pane) return;
  const box = node.getBoundingClientRect();
  const view = pane.getBoundingClientRect();
  const fits = box.height < view.height - 24;
  const top = box.top - view.top - 12;
  const away = fits ? Math.min(box.bottom - view.bottom + 56, top) : top;
  if (fits && box.top >= view.top && away <= 0) return;
  pane.scrollBy({ top: away, behavior: "smooth" });
}

function scroller(node) {
  let up = node.parentElement;
  while (up && !(up.scrollHeight > up.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(up).overflowY))) up = up.parentElement;
  return up;
}
