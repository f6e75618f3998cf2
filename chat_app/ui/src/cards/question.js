// One question with choices; it can as well be answered by typing.
import { button, fill, h } from "../dom.js";
import { decider, gateCard, runsIn } from "../gate.js";
import { reveal } from "../store.js";

export function questionCard(props, say) {
  const card = gateCard({ kind: "question", symbol: "question", title: "One question" });
  const words = h("p", { class: "mw-error", role: "alert" });
  const bar = h("div", { class: "mw-actions mw-choices" });
  function update(next) {
    const { text, choices = [] } = next.payload;
    card.settle(next.open, next.decided);
    const long = next.gate !== "question" && Boolean(next.title); // a question with an account of what it is about
    card.rename(long ? next.title : text, next.open ? "" : next.decided?.reason);
    card.root.dataset.gate = next.gate;
    const send = decider(next, bar, words);
    fill(bar, next.open && choices.map((choice) => button(choice, { "data-choice": choice, onclick: () => (next.interrupt_id ? send({ action: "answer", answer: choice }) : say.message?.(choice)) })));
    fill(card.body, long && h("p", {}, text), long && runsIn(next.payload.runs_in), bar, next.open && h("p", { class: "mw-faint" }, choices.length ? "Pick one, or type your answer below." : "Type your answer below."), words);
  }
  update(props);
  if (props.open) reveal(card.root, props.project, true);
  return { root: card.root, update };
}
