// Vega-Lite charts. A file of its own: it is fetched when the first chart is shown.
import { loader, logger } from "vega";
import embed from "vega-embed";
import { compile } from "vega-lite";

const nothing = loader();
nothing.load = () => Promise.reject(new Error("Charts carry their data with them."));

const ERRORS = 1;

/** Draw a specification into `host`, in the colours of the page. Returns a function that removes it. */
export async function draw(host, spec, dark) {
  const ink = dark ? "#c9d1dc" : "#334155";
  const faint = dark ? "#ffffff14" : "#0000000f";
  const config = {
    background: "transparent",
    font: "Inter Variable, Inter, system-ui, sans-serif",
    axis: { labelColor: ink, titleColor: ink, gridColor: faint, domainColor: faint, tickColor: faint, labelFontSize: 11, titleFontSize: 12, titleFontWeight: 500 },
    legend: { labelColor: ink, titleColor: ink, labelFontSize: 11, titleFontSize: 11 },
    title: { color: ink, fontSize: 13, fontWeight: 600, subtitleColor: ink },
    header: { labelColor: ink, titleColor: ink },
    view: { stroke: "transparent" },
    text: { color: ink },
  };
  const { config: own, background, ...rest } = spec;
  const sized = fit(rest, host.clientWidth);
  // compiled here for its logger, errors only: a specification written for pictures may carry sizes that do not matter
  const { spec: drawing } = compile({ ...sized, config: merge(own ?? {}, config) }, { logger: logger(ERRORS) });
  const result = await embed(host, drawing, {
    actions: { export: { svg: true, png: true }, source: false, compiled: false, editor: false },
    renderer: "svg",
    tooltip: { theme: dark ? "dark" : "light" },
    loader: nothing,
    logLevel: ERRORS,
    mode: "vega",
  });
  return () => result.finalize();
}

/** Single views take the width that is there; composed ones keep their own. */
function fit(spec, width) {
  const composed = ["hconcat", "vconcat", "concat", "facet", "repeat", "columns"].some((name) => name in spec) || spec.encoding?.facet || spec.encoding?.column || spec.encoding?.row;
  if (composed || width < 100) return spec;
  if (typeof spec.width === "object") return spec; // so wide per class: it cannot be told to fit
  const wide = typeof spec.width === "number" ? Math.min(Math.max(spec.width, 560), width) : "container";
  return { ...spec, width: wide, autosize: { type: "fit-x", contains: "padding" } };
}

function merge(base, over) {
  const both = { ...base };
  for (const [name, value] of Object.entries(over)) {
    both[name] = value && typeof value === "object" && !Array.isArray(value) ? merge(base[name] ?? {}, value) : value;
  }
  return both;
}
