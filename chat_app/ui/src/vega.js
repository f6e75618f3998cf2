// A chart in a box: fetched by hash, drawn in the page's colours, drawn again when the theme changes.
import { fileJson } from "./api.js";
import { fill, h } from "./dom.js";
import { isDark, onTheme } from "./store.js";

let library;
const charts = () => (library ??= import("./charts.mjs"));

/** `chart`: {title, alt, spec_hash}. */
export function chartBox(project, chart) {
  const place = h("div", { class: "mw-chart", role: "img", "aria-label": chart.alt || chart.title, "data-chart": chart.name ?? chart.title });
  let remove;
  async function show() {
    try {
      const [{ draw }, spec] = await Promise.all([charts(), fileJson(project, chart.spec_hash)]);
      remove?.();
      place.replaceChildren();
      remove = await draw(place, spec, isDark());
      place.dataset.drawn = "true";
    } catch (error) {
      fill(place, h("p", { class: "mw-faint" }, "This chart could not be drawn. It is among the files as a picture."));
      console.warn("chart", chart.name, error);
    }
  }
  onTheme(() => place.isConnected && show());
  whenVisible(place, show);
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
