// The front end of Modelwright: Chainlit's custom elements call `window.modelwright.mount`, the server's live patches
// arrive as window messages through Chainlit's own socket.
import { codeCard } from "./cards/code.js";
import { contractCard } from "./cards/contract.js";
import { dataCard } from "./cards/data.js";
import { explanationCard } from "./cards/explanation.js";
import { failureCard } from "./cards/failure.js";
import { planCard } from "./cards/plan.js";
import { questionCard } from "./cards/question.js";
import { resultCard } from "./cards/result.js";
import { searchCard } from "./cards/search.js";
import { stoppedCard } from "./cards/stopped.js";
import { trainingCard } from "./cards/training.js";
import { apply } from "./live.js";
import { runPanel } from "./panel.js";
import { openSettings, settingsButton } from "./settings.js";
import { panelView, panelWanted } from "./side.js";
import { define, mount, spread, watchTheme } from "./store.js";
import "./ui.css";

for (const [kind, factory] of Object.entries({
  Run: runPanel, Plan: planCard, Contract: contractCard, Code: codeCard, Question: questionCard, Data: dataCard,
  Training: trainingCard, Search: searchCard, Result: resultCard, Explanation: explanationCard, Failure: failureCard,
  Stopped: stoppedCard,
})) define(kind, factory);

window.addEventListener("message", ({ source, origin, data }) => {
  if (source !== window || origin !== window.location.origin || data?.source !== "modelwright") return;
  if (data.open === "settings") return openSettings();
  apply(data);
  spread(data.project);
});

watchTheme();
settingsButton();
window.modelwright = { mount, panelWanted, panelView };
