// The thin REST door: what the cards say to the server, and what they fetch.

/** Say something to a project. Returns {accepted, sentence}; never throws: a refused or lost request is an answer, too. */
export const tell = (project, verb, body = {}) => post(`/api/projects/${project}/${verb}`, body);

async function post(path, body) {
  try {
    const response = await fetch(path, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const reply = await response.json();
    if (response.ok) return reply;
    return { accepted: false, sentence: reply.sentence ?? "The server refused this." };
  } catch {
    return { accepted: false, sentence: "The server did not answer. It is tried again as soon as it is back: please repeat." };
  }
}

const fetched = new Map();

/** A JSON file of the project, by its SHA-256 (it never changes, so it is fetched once). */
export function fileJson(project, digest) {
  const url = `/api/projects/${project}/files/${digest}`;
  if (!fetched.has(url)) {
    const promise = fetch(url, { credentials: "same-origin" }).then((response) => {
      if (!response.ok) throw new Error(`${response.status}`);
      return response.json();
    });
    promise.catch(() => fetched.delete(url));
    fetched.set(url, promise);
  }
  return fetched.get(url);
}

/** The kinds of model and the templates that can be chosen; asked anew each time, as templates are saved in between. */
export const modelCatalogue = () =>
  fetch("/api/models", { credentials: "same-origin" }).then((response) => (response.ok ? response.json() : Promise.reject(new Error(`${response.status}`))));

const MODELS = "/api/language-models";

/** Who is asked, what may leave, what it may cost; no keys. */
export const languageModels = () => fetch(MODELS, { credentials: "same-origin" }).then((response) => (response.ok ? response.json() : Promise.reject(new Error(`${response.status}`))));

/** Change what may leave or what it may cost: {accepted, sentence, settings}. */
export const changeLanguageModels = (fields) => post(MODELS, fields);

/** Change who is asked for a role: {accepted, sentence, settings}. */
export const configureRole = (role, fields) => post(`${MODELS}/roles/${role}`, fields);

/** Try a role: what came of it, or {accepted: false, sentence} when not even that could be asked. */
export const testRole = (role, what) => post(`${MODELS}/roles/${role}/test`, { what });

/** A text file of the project, by its SHA-256. */
export const fileText = (project, digest) =>
  fetch(`/api/projects/${project}/files/${digest}`, { credentials: "same-origin" }).then((response) => (response.ok ? response.text() : Promise.reject(new Error(`${response.status}`))));

export const artifactUrl = (project, file) =>
  `/api/projects/${project}/artifacts/${file.attempt}/${file.name.split("/").map(encodeURIComponent).join("/")}`;
