// The chat page: its parts wired together. Everything comes from the service that served it.

import { send, withBody } from "./api.js";
import { ask } from "./ask.js";
import { loadCollections, loadModels, setCollection, waitForModel } from "./collections.js";
import { failed, prompt } from "./dialogs.js";
import { loadDocuments, showDocuments, showScope } from "./documents.js";
import { $ } from "./dom.js";
import { closeSide, showQuotes, showTheme } from "./layout.js";
import { listSessions, newSession, openSession } from "./sessions.js";
import { resize } from "./start.js";
import { state, stop, store } from "./state.js";
import { upload } from "./uploads.js";
import { closeViewer, turnCitation, turnPage } from "./viewer.js";

for (const button of document.querySelectorAll("[data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}

const on = (id, event, action) => $(id).addEventListener(event, action);
on("composer", "submit", (event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  if (state.running) stop();
  else if (question) { $("question").value = ""; resize(); ask(question); }
});
on("question", "keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    if (!state.running) $("composer").requestSubmit();
  }
});
on("question", "input", resize);
on("new", "click", newSession);
on("session-search", "input", () => { clearTimeout(on.timer); on.timer = setTimeout(listSessions, 200); });
on("side-open", "click", () => { $("side").classList.add("open"); $("scrim").hidden = false; $("side-open").setAttribute("aria-expanded", "true"); $("new").focus(); });
on("side-close", "click", () => { closeSide(); $("side-open").focus(); });
on("scrim", "click", closeSide);
on("theme", "click", () => { store.setItem("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark"); showTheme(); });
on("collection", "change", async () => { await setCollection($("collection").value); newSession(); });
on("quotes", "change", () => { store.setItem("quotes", $("quotes").value); showQuotes(); });
on("documents-open", "click", () => { showDocuments(); $("documents").showModal(); });
on("scope", "click", () => { showDocuments(); $("documents").showModal(); });
on("document-search", "input", showDocuments);
on("scope-all", "click", () => { state.scope.clear(); showScope(); showDocuments(); });
on("documents-add", "click", () => $("files").click());
on("attach", "click", () => $("files").click());
on("files", "change", () => { upload($("files").files); $("files").value = ""; });
on("new-collection", "click", async () => {
  const name = await prompt({ title: "New collection", text: "Letters, digits, dots and dashes.", label: "Name", ok: "Create" });
  if (!name) return;
  try { await send("/collections", withBody("POST", { name })); } catch (error) { return failed(error); }
  await setCollection(name);
  newSession();
  $("documents").close();
});
on("page-prev", "click", () => turnPage(-1));
on("page-next", "click", () => turnPage(1));
on("cite-prev", "click", () => turnCitation(-1));
on("cite-next", "click", () => turnCitation(1));
on("viewer-close", "click", closeViewer);
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") { if ($("side").classList.contains("open")) { closeSide(); $("side-open").focus(); } else if (state.view) closeViewer(); else stop(); }
  if (!$("viewer").contains(document.activeElement)) return;
  if (event.key === "ArrowLeft") turnPage(-1);
  if (event.key === "ArrowRight") turnPage(1);
});

let depth = 0;
const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
document.addEventListener("dragenter", (event) => { if (hasFiles(event)) { depth += 1; $("drop").hidden = false; } });
document.addEventListener("dragleave", (event) => { if (hasFiles(event) && (depth -= 1) <= 0) { depth = 0; $("drop").hidden = true; } });
document.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
document.addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  depth = 0;
  $("drop").hidden = true;
  upload(event.dataTransfer.files);
});

async function start() {
  showTheme();
  $("quotes").value = store.getItem("quotes") ?? "";
  showQuotes();
  waitForModel().then(loadModels).catch(() => {});
  await loadCollections();
  const id = new URLSearchParams(location.search).get("session");
  await Promise.all([loadDocuments(), loadModels()]);
  if (id) await openSession(id);
  else await listSessions();
  document.body.dataset.ready = "true";
  $("question").focus();
}

state.started = start();
state.started.catch((error) => { $("notice").hidden = false; $("notice").textContent = `${error.message}. ${error.hint ?? ""}`; });
