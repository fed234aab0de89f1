// The service: requests, its problems, its event streams, the key it may ask for.

import { prompt } from "./dialogs.js";
import { state } from "./state.js";

export class Problem extends Error {
  constructor(body) {
    super(body.detail || body.title || "Something went wrong");
    this.hint = body.hint || "";
    this.status = body.status;
    this.code = body.code;
  }
}

export async function send(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: "The service does not answer", hint: "Check that rag serve is running, then try again." });
  }
  if (response.status === 401 && path !== "/login") {
    await login();
    return send(path, options);
  }
  if (!response.ok) throw new Problem(await response.json().catch(() => ({ detail: response.statusText, status: response.status })));
  return response;
}

export const getJSON = async (path) => (await send(path)).json();
export const withBody = (method, body, extra = {}) => ({ method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), ...extra });
export const inCollection = (path) => `${path}${path.includes("?") ? "&" : "?"}collection=${encodeURIComponent(state.collection)}`;

export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      if (name) yield [name, JSON.parse(/^data: (.*)$/m.exec(block)[1])];
    }
  }
}

let asking = null;
export function login() {
  asking ??= (async () => {
    let note = "This service asks for an API key.";
    for (;;) {
      const key = await prompt({ title: "Sign in", text: note, label: "API key", ok: "Sign in", type: "password" });
      if (key === null) continue;
      try { await send("/login", withBody("POST", { key })); return; } catch (error) { note = error.message; }
    }
  })().finally(() => { asking = null; });
  return asking;
}
