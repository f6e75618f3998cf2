// The run in the conversation: progress while it works, one line when it is over. The side panel shows more.
import { colours, foldScores, learningCurves } from "../curves.js";
import { button, fill, h, icon } from "../dom.js";
import { plural, seconds } from "../format.js";
import { liveState, take } from "../live.js";
import { drawProgress, stopButton } from "../panel.js";
import { reveal } from "../store.js";

const PURPOSE = { train: "Training", score: "Scoring the sealed rows", audit: "Audit" };

export function trainingCard(props, say) {
  const colour = colours();
  const curves = learningCurves(colour, 150);
  const folds = foldScores(colour);
  const head = h("div", { class: "mw-card-head mw-still" });
  const progress = h("div", { class: "mw-progress", hidden: true });
  const body = h("div", { class: "mw-card-body" }, progress, curves.root, folds.root);
  const root = h("section", { class: "mw-card", "data-card": "training" }, head, body);
  let now = props;
  let queued = false;
  let last = "";
  let shown = false;

  function draw() {
    queued = false;
    const ended = now.ended;
    const state = liveState(now.project);
    const live = !ended && (state.run?.run === now.run || !state.run) && state.state === "running";
    root.dataset.run = ended ? ended.outcome : live ? "running" : "waiting";
    body.hidden = Boolean(ended);
    const text = JSON.stringify([ended, live, now.attempt]);
    if (text !== last) {
      last = text;
      fill(head, ended ? over(now) : [icon("loader", "mw-spin"), h("span", { class: "mw-card-title" }, `${PURPOSE[now.purpose]}${now.attempt > 1 ? `, attempt ${now.attempt}` : ""}`), h("span", { class: "mw-faint mw-clip" }, now.isolation), h("span", { class: "mw-grow" }), say.open && button("Details", { symbol: "panel", onclick: say.open }), live && stopButton(now.project)]);
    }
    if (ended) return;
    drawProgress(progress, state);
    const before = root.offsetHeight;
    curves.draw(state.curves);
    folds.draw(state.folds);
    if (root.offsetHeight !== before || !shown) reveal(root, now.project);
    shown = true;
  }

  function soon() {
    if (!queued) requestAnimationFrame(draw);
    queued = true;
  }

  take(props.project, props.panel);
  draw();
  return { root, update: (next) => ((now = next), take(next.project, next.panel), soon()), live: soon };
}

function over({ ended, models, purpose }) {
  const well = ended.outcome === "ok" || ended.kept;
  const what = ended.kept ? ended.message : well && purpose === "train" ? `Trained${models ? ` ${plural(models, "model")}` : ""} in ${seconds(ended.seconds)}` : well ? `${PURPOSE[purpose]} took ${seconds(ended.seconds)}` : ended.message;
  return [icon(well ? "check" : "cross", well ? "mw-good" : "mw-bad"), h("span", { class: "mw-card-title" }, what), h("span", { class: "mw-grow" }), ended.peak_memory_mb > 0 && h("span", { class: "mw-faint" }, `${Math.round(ended.peak_memory_mb)} MB`)];
}
