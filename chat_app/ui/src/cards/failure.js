// What did not work, in one sentence, and what can be done.
import { reveal } from "../store.js";
import { fill, h, icon } from "../dom.js";

const CULPRITS = { user: "Something in the input", script: "The script", sandbox: "The sandbox", product: "Our mistake" };

export function failureCard(props) {
  const root = h("section", { class: "mw-card mw-failure", "data-card": "failure", role: "alert" });
  function update({ culprit, sentence, advice }) {
    root.dataset.culprit = culprit;
    fill(root, h("div", { class: "mw-card-head mw-still" }, icon("warning", "mw-bad"), h("span", { class: "mw-card-title" }, sentence)), h("div", { class: "mw-card-body" }, advice && h("p", {}, advice), h("small", { class: "mw-faint" }, CULPRITS[culprit])));
  }
  update(props);
  reveal(root, props.project);
  return { root, update };
}
