// The documents of the collection, and which of them are asked.

import { events, getJSON, inCollection, send } from "./api.js";
import { failed, prompt } from "./dialogs.js";
import { $, el, icon, iconButton, plural, say } from "./dom.js";
import { showEmpty } from "./start.js";
import { state } from "./state.js";

export async function loadDocuments() {
  const { documents, total } = await getJSON(inCollection("/documents?limit=1000"));
  Object.assign(state, { documents, total });
  state.scope = new Set([...state.scope].filter((id) => documents.some((doc) => doc.id === id)));
  $("documents-count").textContent = total ? plural(total, "document") : "Documents";
  showScope();
  showEmpty();
  if ($("documents").open) showDocuments();
}

export function showScope() {
  const n = state.scope.size;
  const one = n === 1 ? state.documents.find((doc) => state.scope.has(doc.id)) : null;
  $("scope").textContent = one ? `Only ${one.title || one.name}` : n ? `Only ${plural(n, "document")}` : "All documents";
  $("scope").classList.toggle("some", n > 0);
}

export function showDocuments() {
  const wanted = $("document-search").value.trim().toLowerCase();
  const shown = state.documents.filter((doc) => `${doc.title} ${doc.names.join(" ")}`.toLowerCase().includes(wanted));
  $("documents-title").textContent = `Documents in ${state.collection}`;
  $("documents-note").textContent = state.documents.length ? "Tick documents to ask only them." : "";
  const items = shown.map(documentItem);
  if (!items.length) items.push(el("li", { class: "none" }, wanted ? "No document has this name." : "Nothing here yet. Add PDFs, or drop them anywhere on the page."));
  $("document-list").replaceChildren(...items);
}

function documentItem(doc) {
  const name = doc.title || doc.name;
  const box = el("input", { type: "checkbox", checked: state.scope.has(doc.id), onchange: () => {
    if (box.checked) state.scope.add(doc.id); else state.scope.delete(doc.id);
    showScope();
  } });
  const empty = doc.coverage.empty.length ? `, ${plural(doc.coverage.empty.length, "page")} without text` : "";
  return el("li", { class: "document" },
    el("label", { title: name }, box, el("div", {}, el("b", {}, name), el("small", {}, `${plural(doc.pages, "page")}${empty}, ${doc.names.join(", ")}`))),
    el("a", { class: "icon", href: inCollection(`/documents/${doc.id}/file`), target: "_blank", rel: "noopener", "aria-label": `Open ${name}` }, icon("open")),
    iconButton("trash", `Remove ${name}`, () => removeDocument(doc)));
}

async function untilEnded(job) {
  for await (const _ of events(await send(`/jobs/${job.id}`, { headers: { Accept: "text/event-stream" } }))) { /* each change */ }
  await loadDocuments();
}

async function removeDocument(doc) {
  if (!await prompt({ title: "Remove document?", text: `${doc.title || doc.name} will no longer be searched.`, ok: "Remove" })) return;
  try {
    const { job } = await (await send(inCollection(`/documents/${doc.id}`), { method: "DELETE" })).json();
    if (job) { say(`${doc.title || doc.name} goes once what is being read is in.`); untilEnded(job).catch(() => {}); }
  } catch (error) { await failed(error); }
  await loadDocuments();
}
