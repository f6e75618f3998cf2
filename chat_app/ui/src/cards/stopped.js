// After Stop: the way back into the stage that was stopped.
import { tell } from "../api.js";
import { button, fill, h } from "../dom.js";
import { reveal } from "../store.js";

export function stoppedCard(props) {
  const root = h("div", { class: "mw-stopped mw-actions", "data-card": "stopped" });
  const words = h("p", { class: "mw-error", role: "alert" });
  function update({ project, stage, label, open }) {
    root.dataset.status = open ? "waiting" : "decided";
    const go = button("Go on", {
      kind: "primary",
      symbol: "play",
      "data-action": "go-on",
      onclick: async () => {
        go.disabled = true;
        words.textContent = "";
        const reply = await tell(project, "rewind", { stage });
        if (reply.accepted) return;
        words.textContent = reply.sentence;
        go.disabled = false;
      },
    });
    fill(root, open && [go, h("span", { class: "mw-faint" }, `from “${label}”, which is begun again`), words]);
  }
  update(props);
  if (props.open) reveal(root, props.project, true);
  return { root, update };
}
