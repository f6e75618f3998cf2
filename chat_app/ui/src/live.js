// The state of one project's live side, kept in the page and moved by the server's patches.

const projects = new Map(); // project -> state
const early = new Map(); // project -> patches that came before the first snapshot

export function liveState(project) {
  if (!projects.has(project)) {
    projects.set(project, { seq: -1, state: "idle", stages: [], run: null, progress: null, leaderboard: null, files: [], scores: [], curves: [], folds: [], log: [], models: null });
  }
  return projects.get(project);
}

/** A whole snapshot; an older one than what is known changes nothing. */
export function take(project, snapshot) {
  const state = liveState(project);
  if (snapshot && snapshot.seq >= state.seq) Object.assign(state, structuredClone(snapshot));
  if (state.seq >= 0) {
    const patches = early.get(project) ?? [];
    early.delete(project);
    patches.forEach(apply);
  }
  return state;
}

/** What has happened since: changed fields, further points, folds and lines of the log. */
export function apply(patch) {
  const state = liveState(patch.project);
  if (patch.full) return take(patch.project, patch.panel);
  if (state.seq < 0) {
    early.set(patch.project, [...(early.get(patch.project) ?? []), patch]);
    return state;
  }
  if (patch.seq <= state.seq) return state;
  state.seq = patch.seq;
  Object.assign(state, structuredClone(patch.panel ?? {}));
  for (const [model, name, fold, step, value] of patch.points ?? []) {
    let series = state.curves.find((one) => one.model === model && one.name === name && one.fold === fold);
    if (!series) state.curves.push((series = { model, name, fold, points: [] }));
    series.points.push([step, value]);
  }
  state.folds.push(...(patch.folds ?? []));
  state.log.push(...(patch.log ?? []));
  if (state.log.length > 400) state.log.splice(0, state.log.length - 400);
  return state;
}
