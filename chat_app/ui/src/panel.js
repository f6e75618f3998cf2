// The run panel: stages, live curves, leaderboard, log, files, Stop.
import { artifactUrl, tell } from "./api.js";
import { colours, foldScores, learningCurves } from "./curves.js";
import { button, fill, h, icon } from "./dom.js";
import { bytes, clock, metricName, modelName, number, progressText, seconds } from "./format.js";
import { liveState, take } from "./live.js";
import { meter } from "./meter.js";

const STATES = { running: "Working", waiting: "Waiting for you", done: "Done", failed: "Did not work", stopped: "Stopped", rejected: "Rejected", idle: "Ready" };
const MARKS = { PENDING: "circle", IN_PROGRESS: "loader", WAITING_CONFIRMATION: "pause", COMPLETED: "check", SKIPPED: "dash", FAILED: "cross" };
const KINDS = { report: "file", code: "fileCode", chart: "image", notebook: "notebook", model: "model", bundle: "archive", data: "table" };
const VIEWS = [["live", "Live"], ["leaderboard", "Leaderboard"], ["log", "Log"], ["files", "Files"]];

export function runPanel(props, say) {
  const colour = colours();
  const curves = learningCurves(colour);
  const folds = foldScores(colour);
  const head = h("div", { class: "mw-panel-head" });
  const stages = h("ol", { class: "mw-stages" });
  const progress = h("div", { class: "mw-progress", hidden: true });
  const bar = h("div", { class: "mw-tabs", role: "tablist" });
  const body = h("div", { class: "mw-tab-body" });
  const models = h("div", {});
  const root = h("section", { class: "mw-panel", "data-project": props.project }, head, models, stages, progress, h("div", { class: "mw-tabbed" }, bar, body));
  const quiet = h("p", { class: "mw-faint" }, "Learning curves and fold scores appear here while models are trained.");
  const live = h("div", { class: "mw-live" }, quiet, curves.root, folds.root);
  let view = "live";
  let chosen = false;
  let queued = false;
  let drawn = {};

  for (const [id, label] of VIEWS) bar.append(h("button", { type: "button", role: "tab", "data-tab": id, onclick: () => choose(id) }, label));

  function choose(id) {
    view = id;
    chosen = true;
    draw();
  }

  function changed(name, value) {
    const next = JSON.stringify(value);
    if (drawn[name] === next) return false;
    drawn[name] = next;
    return true;
  }

  function draw() {
    queued = false;
    const state = liveState(props.project);
    root.dataset.state = state.state;
    if (changed("head", [state.state, state.run, state.isolation, refused(state)])) drawHead(head, state, props.project);
    if (changed("models", state.models)) fill(models, meter(state.models, models.querySelector("details")?.open));
    if (changed("stages", state.stages)) drawStages(stages, state.stages);
    if (changed("progress", [state.progress, state.state])) drawProgress(progress, state);
    // what matters now is in front, until the user has chosen
    if (!chosen) view = state.state === "running" || !state.leaderboard ? "live" : "leaderboard";
    curves.draw(state.curves);
    folds.draw(state.folds);
    quiet.hidden = !curves.root.hidden || !folds.root.hidden;
    for (const tab of bar.children) tab.setAttribute("aria-selected", String(tab.dataset.tab === view));
    if (view === "live" && changed("body", [view])) fill(body, live);
    if (view === "leaderboard" && changed("body", [view, state.leaderboard, state.scores])) fill(body, leaderboard(state, colour));
    if (view === "files" && changed("body", [view, state.files])) fill(body, files(props.project, state.files));
    if (view === "log" && changed("body", [view, state.log.length, state.log.at(-1)])) drawLog(body, state.log);
  }

  function soon() {
    if (!queued) requestAnimationFrame(draw);
    queued = true;
  }

  take(props.project, props.panel);
  draw();
  return { root, update: (next) => (take(next.project, next.panel), soon()), live: soon };
}

/** What was asked for is not possible here: answered, and nothing was done. */
const refused = (state) => state.state === "done" && state.stages.some((one) => one.stage === "PARSE_INTENT" && one.status === "SKIPPED");

function drawHead(head, state, project) {
  const busy = state.state === "running";
  const words = refused(state) ? "Answered" : state.state === "done" && state.stages.every((one) => one.status === "PENDING") ? STATES.idle : (STATES[state.state] ?? state.state);
  fill(
    head,
    h("span", { class: `mw-pill mw-is-${refused(state) ? "idle" : state.state}`, "data-run-state": state.state }, busy && icon("loader", "mw-spin"), words),
    state.run?.isolation && h("span", { class: "mw-faint mw-clip", title: state.run.isolation }, icon("shield"), state.run.isolation),
    h("span", { class: "mw-grow" }),
    busy && stopButton(project),
  );
}

export function stopButton(project) {
  const stop = button("Stop", {
    kind: "danger",
    symbol: "stop",
    "data-action": "stop",
    onclick: async () => {
      stop.disabled = true;
      const reply = await tell(project, "stop");
      stop.disabled = false; // after the first stop of a training the model that it saved is judged: a second one ends that
      if (reply.sentence) stop.title = reply.sentence;
    },
  });
  return stop;
}

function drawStages(list, stages) {
  fill(
    list,
    stages.map((stage) =>
      h(
        "li",
        { "data-stage": stage.stage, "data-status": stage.status, title: stage.detail },
        icon(MARKS[stage.status], stage.status === "IN_PROGRESS" ? "mw-spin" : ""),
        h("span", { class: "mw-stage-name" }, stage.label),
        h("span", { class: "mw-stage-detail" }, stage.detail),
        h("time", {}, stage.status === "PENDING" ? "" : clock(stage.at)),
      ),
    ),
  );
}

export function drawProgress(place, state) {
  const { progress } = state;
  place.hidden = !progress || state.state !== "running";
  if (place.hidden) return;
  const share = progress.total ? Math.min(100, (100 * progress.done) / progress.total) : 0;
  place.dataset.done = String(progress.done);
  fill(
    place,
    h("div", { class: "mw-row" }, h("span", { class: "mw-clip" }, progressText(progress.text)), h("span", { class: "mw-faint" }, progress.total ? `${progress.done} of ${progress.total}` : "")),
    h("div", { class: "mw-bar", role: "progressbar", "aria-valuenow": Math.round(share), "aria-valuemin": 0, "aria-valuemax": 100 }, h("i", { style: `width:${share}%` })),
  );
}

export function leaderboard(state, colour) {
  const board = state.leaderboard;
  if (!board?.rows?.length) return h("p", { class: "mw-faint" }, "Models appear here as soon as they are compared.");
  return h(
    "div",
    {},
    h(
      "table",
      { class: "mw-table", "data-leaderboard": board.rows.length },
      h("thead", {}, h("tr", {}, h("th", {}, "Model"), h("th", { class: "mw-num" }, `${metricName(board.metric)}, cross-validated`), h("th", { class: "mw-num" }, "Time"))),
      h("tbody", {}, board.rows.map((row, place) => h("tr", { class: place === 0 ? "mw-first" : "" }, h("td", {}, colour && h("i", { class: "mw-dot", style: `background:${colour(row.model)}` }), modelName(row.model)), h("td", { class: "mw-num" }, (row.cv_score ?? row.claimed_cv_score) == null ? "no score yet" : number(row.cv_score ?? row.claimed_cv_score)), h("td", { class: "mw-num mw-faint" }, seconds(row.seconds))))),
    ),
    !board.verified && h("p", { class: "mw-note" }, icon("warning"), "Claimed by the script itself: it is not our unmodified recipe. What counts is the sealed score."),
    state.scores?.length > 1 && attempts(state.scores),
  );
}

function attempts(scores) {
  return h(
    "table",
    { class: "mw-table" },
    h("thead", {}, h("tr", {}, h("th", {}, "Attempt"), h("th", { class: "mw-num" }, "On sealed rows"))),
    h("tbody", {}, scores.map((score) => h("tr", {}, h("td", {}, `Attempt ${score.attempt}`), h("td", { class: "mw-num" }, `${metricName(score.name)} ${number(score.value)} (${number(score.ci_low)} to ${number(score.ci_high)})`)))),
  );
}

export function files(project, list) {
  const several = new Set(list.map((file) => file.attempt)).size > 1;
  if (!list.length) return h("p", { class: "mw-faint" }, "What can be taken along appears here.");
  return h(
    "ul",
    { class: "mw-files" },
    list.map((file) =>
      h("li", {}, h("a", { href: artifactUrl(project, file), download: file.name.split("/").at(-1), "data-file": file.name }, icon(KINDS[file.kind] ?? "file"), h("span", { class: "mw-clip" }, file.name), several && h("span", { class: "mw-faint" }, `attempt ${file.attempt}`), h("span", { class: "mw-faint" }, bytes(file.bytes)), icon("download", "mw-faint"))),
    ),
  );
}

function drawLog(body, lines) {
  const old = body.querySelector(".mw-log");
  const atEnd = !old || old.scrollHeight - old.scrollTop - old.clientHeight < 30;
  if (!lines.length) return fill(body, h("p", { class: "mw-faint" }, "The script has not written anything."));
  const log = old ?? h("pre", { class: "mw-log", tabindex: "0" });
  if (!old) fill(body, log);
  fill(log, lines.map((line) => h("span", { class: line.stream === "stderr" ? "mw-err" : "" }, line.text.endsWith("\n") ? line.text : `${line.text}\n`)));
  if (atEnd) log.scrollTop = log.scrollHeight;
}
