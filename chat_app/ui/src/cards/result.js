// The result: score with interval beside the baseline, verdict, charts, audit, files, and what to ask next.
import { artifactUrl, tell } from "../api.js";
import { button, fill, h, icon, tabs } from "../dom.js";
import { bytes, count, metricName, number } from "../format.js";
import { liveState, take } from "../live.js";
import { files, leaderboard } from "../panel.js";
import { reveal } from "../store.js";
import { chartBox } from "../vega.js";

export function resultCard(props, say) {
  const root = h("section", { class: "mw-card mw-result", "data-card": "result" });
  let last = "";
  let answered = false;
  let tab; // what the user has chosen; else the first
  function update(next) {
    take(next.project, next.panel);
    const now = JSON.stringify({ ...next, seq: 0, panel: 0 });
    if (now === last) return;
    last = now;
    root.dataset.attempt = next.attempt;
    root.dataset.files = next.files.length;
    const complete = next.ideas?.length > 0;
    if (complete && !answered) reveal(() => root.closest(".step") ?? root, next.project);
    answered = complete;
    fill(root, headline(next), next.verdict && h("p", { class: "mw-verdict-text" }, next.verdict.text), remarks(next.verdict?.remarks), h("div", { class: "mw-card-body" }, details(next, tab, (id) => (tab = id))), foot(next, say));
  }
  reveal(() => root, props.project);
  update(props);
  return { root, update };
}

const MOODS = { better: "mw-is-done", tie: "mw-is-waiting", worse: "mw-is-failed", guess: "mw-is-failed" };

function headline({ score, verdict, looks }) {
  const { metric, baseline, also } = score ?? {};
  if (!metric) return h("div", { class: "mw-headline" });
  return h(
    "div",
    { class: "mw-headline" },
    h("div", { class: "mw-score", "data-score": metric.value }, h("small", {}, `${metricName(metric.name)} on ${score.rows ? count(score.rows) : ""} sealed rows`), h("strong", {}, number(metric.value)), h("span", { class: "mw-faint" }, `95 %: ${number(metric.ci_low)} to ${number(metric.ci_high)}`)),
    h("div", { class: "mw-against" }, verdict && h("span", { class: `mw-pill ${MOODS[score.comparison] ?? ""}`, "data-verdict": verdict.verdict }, verdict.verdict), intervals(metric, baseline), h("div", { class: "mw-also" }, (also ?? []).map((one) => h("span", {}, `${metricName(one.name)} `, h("b", {}, number(one.value)))), looks > 1 && h("span", { title: "How often these sealed rows have judged a model. Every look makes the score a little less independent." }, `look ${looks} at the sealed rows`))),
  );
}

/** What a language model would warn of; the verdict above is the product's own. */
function remarks(list) {
  if (!list?.length) return null;
  const about = (one) => one.figure.replace(/^chart_/, "").replaceAll("_", " ");
  return h("div", { class: "mw-verdict-text", "data-remarks": list.length }, h("b", {}, `${list[0].by} remarks:`), h("ul", {}, list.map((one) => h("li", {}, `${one.sentence} `, h("small", { class: "mw-faint" }, `(${one.kind}, about ${about(one)})`)))));
}

const MAIN = ["train.py", "notebook.ipynb", "report.md"];

/** Two whiskers on one scale: the model and the baseline. */
function intervals(metric, baseline) {
  const rows = [["Model", metric, true], [baseline?.model ? `Baseline (${baseline.model})` : "Baseline", baseline, false]].filter(([, one]) => one && one.value !== null);
  const ends = rows.flatMap(([, one]) => [one.ci_low ?? one.value, one.ci_high ?? one.value]);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const at = (value) => 3 + (94 * (value - low)) / (high - low || 1);
  return h(
    "div",
    { class: "mw-intervals", title: metric.greater_is_better === false ? "Smaller is better" : "Greater is better" },
    rows.map(([label, one, ours]) =>
      h("div", { class: ours ? "mw-ours" : "" }, h("span", {}, label), h("span", { class: "mw-strip" }, h("s", { style: `left:${at(one.ci_low ?? one.value)}%;right:${100 - at(one.ci_high ?? one.value)}%` }), h("b", { style: `left:${at(one.value)}%` })), h("span", { class: "mw-num" }, number(one.value))),
    ),
  );
}

function details(props, chosen, onchoose) {
  const state = liveState(props.project);
  const failed = props.audit.filter((probe) => probe.passed === false).length;
  const board = props.leaderboard ? { ...state, leaderboard: props.leaderboard } : state;
  return tabs(
    [
      props.charts.length > 0 && { id: "charts", label: "Charts", body: () => charts(props) },
      { id: "leaderboard", label: "Leaderboard", body: () => leaderboard(board) },
      props.audit.length > 0 && { id: "audit", label: failed ? `Audit (${failed})` : "Audit", body: () => audit(props) },
      { id: "files", label: `Files (${props.files.length})`, body: () => files(props.project, props.files) },
    ].filter(Boolean),
    { chosen, onchoose },
  );
}

function charts(props) {
  const place = h("div", {});
  const bar = h("div", { class: "mw-chips mw-chart-names" });
  const show = (chart) => {
    for (const chip of bar.children) chip.setAttribute("aria-pressed", String(chip.dataset.name === chart.name));
    fill(place, chartBox(props.project, chart));
  };
  for (const chart of props.charts) bar.append(h("button", { type: "button", class: "mw-chip", "data-name": chart.name, onclick: () => show(chart) }, chart.title));
  show(props.charts[0]);
  return h("div", {}, props.charts.length > 1 && bar, place);
}

function audit({ project, audit: probes }) {
  return h("ul", { class: "mw-audit" }, probes.map((probe) => h("li", { "data-probe": probe.probe, "data-passed": String(probe.passed) }, icon(probe.passed ? "check" : "warning", probe.passed ? "mw-good" : "mw-bad"), h("span", {}, h("b", {}, probe.probe.replaceAll("_", " ")), ` ${probe.detail} `, probe.in_use && h("em", {}, probe.in_use), !probe.passed && probe.repair && repair(project, probe.repair)))));
}

/** The finding's answer in one click: the plan with the change in it, asked about before anything runs. */
function repair(project, { label, changes }) {
  const words = h("span", { class: "mw-error", role: "alert" });
  const go = button(label, {
    symbol: "pencil",
    class: "mw-repair",
    "data-action": "repair",
    title: "Shows the plan with this change; nothing runs before you approve it.",
    onclick: async () => {
      go.disabled = true;
      words.textContent = "";
      const reply = await tell(project, "rewind", { stage: "PREPROCESS", changes });
      if (reply.accepted) return;
      words.textContent = reply.sentence;
      go.disabled = false;
    },
  });
  return h("div", { class: "mw-actions" }, go, words);
}

function foot({ project, files: list, ideas = [] }, say) {
  const bundle = list.find((file) => file.kind === "bundle");
  const main = MAIN.map((name) => list.find((file) => file.name === name)).filter(Boolean);
  return h(
    "div",
    { class: "mw-foot" },
    h("div", { class: "mw-actions" }, bundle && h("a", { class: "mw-button mw-primary", "data-action": "bundle", href: artifactUrl(project, bundle), download: bundle.name }, icon("download"), `Download everything (${bytes(bundle.bytes)})`), main.map((file) => h("a", { class: "mw-button mw-quiet", href: artifactUrl(project, file), download: file.name }, icon("download"), file.name))),
    ideas.length > 0 && h("div", { class: "mw-actions mw-ideas" }, h("span", { class: "mw-faint" }, "Go on:"), ideas.map((idea) => button(idea, { class: "mw-idea", onclick: () => say.message?.(idea) }))),
  );
}
