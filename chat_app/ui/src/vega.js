// A chart in a box: fetched by hash, drawn in the page's colours, drawn again when the theme or the width changes.
import { fileJson } from "./api.js";
import { fill, h } from "./dom.js";
import { isDark, onTheme } from "./store.js";

const SETTLED = 150; // ms without a change of width before a chart is drawn again

let library;
const charts = () => (library ??= import("./charts.mjs"));

/** `chart`: {title, alt, spec_hash}. */
export function chartBox(project, chart) {
  const place = h("div", { class: "mw-chart", role: "img", "aria-label": chart.alt || chart.title, "data-chart": chart.name ?? chart.title });
  let remove;
  let drawing = 0; // of several drawings at once the last one stays
  async function show() {
    const mine = (drawing += 1);
    try {
      const [{ draw }, spec] = await Promise.all([charts(), fileJson(project, chart.spec_hash)]);
      if (mine !== drawing) return;
      place.style.minHeight = `${place.offsetHeight}px`; // the page does not jump in between
      remove?.();
      place.replaceChildren();
      place.dataset.width = String(place.clientWidth);
      remove = await draw(place, spec, isDark());
      place.dataset.drawn = "true";
    } catch (error) {
      fill(place, h("p", { class: "mw-faint" }, "This chart could not be drawn. It is among the files as a picture."));
      console.warn("chart", chart.name, error);
    }
    place.style.minHeight = "";
  }
  onTheme(() => place.isConnected && show());
  whenVisible(place, show);
  whenResized(place, show);
  return h("figure", { class: "mw-figure" }, place, chart.alt && h("figcaption", {}, chart.alt));
}

function whenVisible(node, then) {
  const watch = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watch.disconnect();
    then();
  });
  watch.observe(node);
}

/** Once it was drawn: a drawing is as wide as the place was at that time. */
function whenResized(node, then) {
  let timer;
  new ResizeObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const now = node.clientWidth;
      if (node.dataset.drawn && now > 0 && Math.abs(now - Number(node.dataset.width)) > 2) then();
    }, SETTLED);
  }).observe(node);
}
