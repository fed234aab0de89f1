// Collections and chat models to choose from.

import { getJSON } from "./api.js";
import { loadDocuments } from "./documents.js";
import { $, el } from "./dom.js";
import { state, store } from "./state.js";

export async function loadCollections() {
  const collections = await getJSON("/collections");
  const saved = store.getItem("collection");
  state.collection = collections.some((c) => c.name === saved) ? saved : collections.find((c) => c.default).name;
  showCollections(collections);
}

function showCollections(collections) {
  $("collection").replaceChildren(...collections.map((c) => el("option", { value: c.name, selected: c.name === state.collection }, c.name)));
  $("drop-name").textContent = state.collection;
}

export async function setCollection(name) {
  state.collection = name;
  state.scope.clear();
  store.setItem("collection", name);
  showCollections(await getJSON("/collections"));
  await loadDocuments();
}

export async function loadModels() {
  const models = await getJSON("/models");
  $("model").replaceChildren(...models.map((m) => el("option", { value: m.default ? "" : m.name, selected: m.default }, m.name.split("/").at(-1))));
}

export async function waitForModel() {
  for (;;) {
    const response = await fetch("/ready").catch(() => null);
    $("notice").hidden = response?.status === 200;
    if (response?.status === 200) return;
    $("notice").textContent = response ? "The model is being loaded. You can ask already; the first answer takes a little longer." : "The service does not answer.";
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}
