// The chat page. Everything comes from the service that served it; HTML comes only as the service
// rendered it (Markdown without raw HTML), all other text is set as text.

const $ = (id) => document.getElementById(id);
const store = window.localStorage;
const state = {
  session: null, turns: [], running: null, scope: new Set(), documents: [], total: 0,
  collection: "", view: null, trigger: null,
};

// ── elements ──────────────────────────────────────────────────────────────────────────────────

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

const iconButton = (name, label, onclick) =>
  el("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick }, icon(name));

function setHTML(node, html) {
  node.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
}

const say = (text) => { $("live").textContent = text; };
const plural = (n, one) => `${n.toLocaleString()} ${one}${n === 1 ? "" : "s"}`;

// A page that came over plain HTTP from another machine has no clipboard but this older one.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el("textarea", { class: "hidden" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

// ── service ───────────────────────────────────────────────────────────────────────────────────

class Problem extends Error {
  constructor(body) {
    super(body.detail || body.title || "Something went wrong");
    this.hint = body.hint || "";
    this.status = body.status;
    this.code = body.code;
  }
}

async function send(path, options = {}) {
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

const getJSON = async (path) => (await send(path)).json();
const withBody = (method, body, extra = {}) => ({ method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), ...extra });
const inCollection = (path) => `${path}${path.includes("?") ? "&" : "?"}collection=${encodeURIComponent(state.collection)}`;

async function* events(response) {
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
function login() {
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

// ── dialogs ───────────────────────────────────────────────────────────────────────────────────

// Resolves to the text (or true, without a field), or null when cancelled.
function prompt({ title, text = "", label = null, value = "", ok, type = "text" }) {
  const dialog = $("prompt"), input = $("prompt-input");
  $("prompt-title").textContent = title;
  $("prompt-text").textContent = text;
  $("prompt-field").hidden = label === null;
  $("prompt-label").textContent = label ?? "";
  $("prompt-ok").textContent = ok;
  Object.assign(input, { value, type });
  dialog.returnValue = "";
  dialog.showModal();
  if (label !== null) input.select();
  return new Promise((resolve) => dialog.addEventListener("close", () => {
    resolve(dialog.returnValue === "ok" ? (label === null ? true : input.value.trim()) : null);
  }, { once: true }));
}

for (const button of document.querySelectorAll("[data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}

const failed = (error) => prompt({ title: error.message, text: error.hint ?? "", ok: "Close" });

// ── sessions ──────────────────────────────────────────────────────────────────────────────────

async function listSessions() {
  const query = $("session-search").value.trim();
  const found = await getJSON(`/sessions?limit=200&q=${encodeURIComponent(query)}`);
  const items = [];
  let group = "";
  for (const session of found) {
    const when = age(session.updated_at);
    if (when !== group) items.push(el("li", { class: "group" }, (group = when)));
    items.push(sessionItem(session));
  }
  if (!items.length) items.push(el("li", { class: "none" }, query ? "No conversation holds these words." : "Conversations will be listed here."));
  $("sessions").replaceChildren(...items);
}

function sessionItem(session) {
  const current = session.id === state.session?.id;
  const title = session.title || "Untitled";
  return el("li", { class: `session${current ? " current" : ""}` },
    el("button", { type: "button", class: "name", title, "aria-current": current ? "true" : undefined, onclick: () => openSession(session.id) }, title),
    el("span", { class: "acts" },
      iconButton("edit", `Rename ${title}`, () => renameSession(session)),
      el("a", { class: "icon", href: `/sessions/${session.id}/export.md`, download: "", "aria-label": `Export ${title}`, title: "Export as Markdown" }, icon("down")),
      iconButton("trash", `Delete ${title}`, () => deleteSession(session))));
}

function age(time) {
  const days = (new Date().setHours(0, 0, 0, 0) - new Date(time).setHours(0, 0, 0, 0)) / 864e5;
  return days < 1 ? "Today" : days < 2 ? "Yesterday" : days < 8 ? "This week" : "Earlier";
}

async function renameSession(session) {
  const title = await prompt({ title: "Rename conversation", label: "Title", value: session.title, ok: "Rename" });
  if (!title) return;
  const renamed = await (await send(`/sessions/${session.id}`, withBody("PATCH", { title }))).json();
  if (state.session?.id === session.id) setSession({ ...state.session, ...renamed });
  await listSessions();
}

async function deleteSession(session) {
  const text = `“${session.title || "Untitled"}” and its answers will be gone. Documents stay.`;
  if (!await prompt({ title: "Delete conversation?", text, ok: "Delete" })) return;
  await send(`/sessions/${session.id}`, { method: "DELETE" });
  if (state.session?.id === session.id) newSession();
  await listSessions();
}

function setSession(session) {
  state.session = session;
  $("title").textContent = session?.title || "New conversation";
  document.title = session?.title ? `${session.title} · rag` : "Your documents";
  history.replaceState(null, "", session ? `?session=${session.id}` : location.pathname);
}

function newSession() {
  stop();
  closeViewer();
  closeSide();
  setSession(null);
  $("turns").replaceChildren();
  showEmpty();
  listSessions().catch(() => {});
  $("question").focus();
}

async function openSession(id) {
  stop();
  closeViewer();
  closeSide();
  try {
    const session = await getJSON(`/sessions/${id}?render=true`);
    setSession(session);
    if (session.collection !== state.collection) await setCollection(session.collection);
    $("turns").replaceChildren(...session.messages.map(pastTurn));
    showEmpty();
    $("scroll").scrollTop = $("scroll").scrollHeight;
  } catch (error) {
    setSession(null);
    if (error.status !== 404) await failed(error);
    showEmpty();
  }
  await listSessions();
}

function pastTurn(message) {
  const turn = new Turn(message.question);
  turn.id = message.id;
  if (message.state === "done") turn.finish({ ...message.details, html: message.html });
  else if (message.state === "failed") turn.fail(new Problem(message.details.problem ?? {}));
  else turn.stopped(message.html);
  return turn.node;
}

// ── a question and its answer ─────────────────────────────────────────────────────────────────

class Turn {
  constructor(question) {
    this.question = question;
    this.id = null;
    this.hits = [];
    this.prose = el("div", { class: "prose" });
    this.body = el("div", { class: "answer" });
    this.asked = el("div", { class: "asked" });
    this.node = el("li", { class: "turn" }, this.asked, this.body);
    this.showQuestion();
  }

  showQuestion() {
    this.asked.replaceChildren(
      iconButton("edit", "Edit and send again", () => this.edit()),
      el("div", { class: "bubble" }, el("span", { class: "hidden" }, "You: "), this.question));
  }

  edit() {
    const area = el("textarea", { "aria-label": "Edit your question", maxlength: 20000 });
    area.value = this.question;
    const done = () => { this.showQuestion(); this.asked.querySelector("button").focus(); };
    const again = () => { if (area.value.trim()) ask(area.value.trim(), this); };
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { event.stopPropagation(); done(); }
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); again(); }
    });
    this.asked.replaceChildren(el("div", { class: "rewrite" }, area, el("div", {},
      el("button", { type: "button", class: "quiet", onclick: done }, "Cancel"),
      el("button", { type: "button", class: "primary", onclick: again }, "Send again"))));
    area.focus();
  }

  doing(text) {
    this.status ??= el("span");
    this.status.textContent = text;
    if (this.status.isConnected) return; // the dots go on beating
    this.body.replaceChildren(el("p", { class: "doing" }, el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")), this.status));
  }

  retrieved(hits) {
    this.hits = hits;
    const names = [...new Set(hits.map((hit) => hit.document.name))];
    if (names.length) this.doing(`Reading ${plural(hits.length, "passage")} of ${names[0]}${names.length > 1 ? ` and ${names.length - 1} more` : ""}`);
  }

  // Documents that are read whole. A screen reader hears of each quarter, not of each page.
  reading({ pages_done: done, pages_total: total }) {
    const text = done < total ? `Read ${done.toLocaleString()} of ${plural(total, "page")}` : `Read ${plural(total, "page")}. Writing the answer`;
    this.doing(text);
    const quarter = Math.floor((4 * done) / total);
    if (quarter !== this.quarter) say(text);
    this.quarter = quarter;
  }

  write(html) {
    setHTML(this.prose, html);
    if (!this.prose.isConnected) this.body.replaceChildren(this.prose);
    this.body.classList.add("writing");
  }

  finish(answer) {
    this.answer = answer;
    this.body.classList.remove("writing");
    setHTML(this.prose, answer.html ?? "");
    if (answer.refused) {
      this.body.replaceChildren(this.refusal(answer), this.after(answer));
      return;
    }
    for (const button of this.prose.querySelectorAll(".cite")) {
      button.addEventListener("click", () => openCitation(answer.citations, Number(button.dataset.cite), button));
    }
    this.body.replaceChildren(this.prose, this.sources(answer), this.after(answer));
  }

  sources({ citations }) {
    return el("div", { class: "sources", role: "group", "aria-label": "Sources" }, ...citations.map((citation) => {
      const button = el("button", { type: "button", class: "source" }, el("b", {}, String(citation.number)),
        el("span", {}, citation.document.title || citation.document.name), el("small", {}, `p. ${citation.page_label || citation.page}`));
      button.addEventListener("click", () => openCitation(citations, citation.number, button));
      return button;
    }));
  }

  refusal(answer) {
    const near = this.hits.slice(0, 3).map((hit) => el("button", { type: "button", onclick: (event) => openHit(hit, event.currentTarget) },
      el("small", {}, `${hit.document.title || hit.document.name}, p. ${hit.chunk.first_page}`), el("span", {}, hit.chunk.text)));
    // The answer lists the nearest passages as text; where they can be opened, that list is enough.
    const told = el("div", { class: "prose" });
    if (near.length) told.append(el("p", {}, answer.text.split("\n\n")[0]));
    else setHTML(told, answer.html ?? "");
    return el("div", { class: "card" }, icon("none"), el("h3", {}, "Not found in the documents"), told,
      near.length ? el("div", { class: "near" }, el("h4", {}, "The nearest passages"), ...near) : null);
  }

  stopped(html) {
    this.body.classList.remove("writing");
    if (html) setHTML(this.prose, html);
    const parts = this.prose.childNodes.length ? [this.prose] : [];
    this.body.replaceChildren(...parts, this.after({ text: this.prose.textContent }, "Stopped. Not checked against the documents."));
  }

  fail(error) {
    this.body.classList.remove("writing");
    this.body.replaceChildren(el("div", { class: "card bad", role: "alert" }, icon("warn"), el("h3", {}, error.message),
      error.hint ? el("p", {}, error.hint) : null,
      el("button", { type: "button", class: "quiet", onclick: () => ask(this.question, this) }, icon("retry"), "Try again")));
  }

  after(answer, note = "") {
    const copy = iconButton("copy", "Copy the answer", async () => {
      if (!await copied(answer.text)) return failed(new Problem({ detail: "The browser does not let the page copy", hint: "Select the text and copy it by hand." }));
      copy.replaceChildren(icon("check"));
      say("Copied");
      setTimeout(() => copy.replaceChildren(icon("copy")), 1500);
    });
    const retry = iconButton("retry", "Answer again", () => ask(this.question, this));
    return el("div", { class: "after" }, answer.text ? copy : null, retry, el("span", { class: "meta" }, note || answer.model || ""));
  }
}

// ── ask ───────────────────────────────────────────────────────────────────────────────────────

async function ask(question, replaced = null) {
  if (state.running) return;
  const turn = new Turn(question);
  const controller = new AbortController();
  state.running = { controller, turn };
  if (replaced) {
    while (replaced.node.nextSibling) replaced.node.nextSibling.remove();
    replaced.node.replaceWith(turn.node);
  } else {
    $("turns").append(turn.node);
  }
  showEmpty();
  showRunning(true);
  turn.doing("Looking through your documents");
  say("Looking for an answer");
  follow(true);
  try {
    await started; // which collection is asked is not known before
    const replaces = replaced ? await turnId(replaced) : null;
    if (!state.session) setSession(await (await send("/sessions", withBody("POST", { title: question.slice(0, 200), collection: state.collection }))).json());
    listSessions().catch(() => {});
    const body = { question, session_id: state.session.id, collection: state.collection, documents: [...state.scope], stream: true, render: true };
    if (replaces !== null) body.replaces = replaces;
    if ($("model").value) body.model = $("model").value;
    await tell(turn, await send("/query", withBody("POST", body, { signal: controller.signal })));
  } catch (error) {
    if (error.name === "AbortError") { turn.stopped(""); say("Stopped"); }
    else { turn.fail(error); say(error.message); }
  } finally {
    state.running = null;
    showRunning(false);
    follow();
  }
}

// A turn that failed before its first event does not know its number; the session does.
async function turnId(turn) {
  if (turn.id !== null || !state.session) return turn.id;
  const { messages } = await getJSON(`/sessions/${state.session.id}`);
  const last = messages.at(-1);
  return last && last.question === turn.question && last.state !== "done" ? last.id : null;
}

async function tell(turn, response) {
  for await (const [name, data] of events(response)) {
    if (name === "retrieved") { turn.id = data.turn_id; turn.retrieved(data.hits); }
    else if (name === "map_progress") turn.reading(data);
    else if (name === "html") turn.write(data.html);
    else if (name === "error") throw new Problem(data);
    else if (name === "done") { // and kept: the next question need not wait for the end of the stream
      turn.finish(data);
      say(data.refused ? `Not found. ${data.text}` : `${data.text} ${plural(data.citations.length, "source")}.`);
      if (data.citations.length) new Image().src = data.citations[0].image_url;
      return;
    }
    follow();
  }
  throw new Problem({ detail: "The answer broke off", hint: "The connection to the service was lost." });
}

const stop = () => state.running?.controller.abort();

function showRunning(running) {
  const button = $("send");
  button.classList.toggle("stop", running);
  button.setAttribute("aria-label", running ? "Stop" : "Send");
  button.replaceChildren(icon(running ? "stop" : "send"));
}

// Stay at the end while the reader is there; leave them alone when they scrolled up.
let pinned = true;
$("scroll").addEventListener("scroll", () => {
  const box = $("scroll");
  pinned = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
});
function follow(always = false) {
  if (pinned || always) $("scroll").scrollTop = $("scroll").scrollHeight;
}

// ── the page beside the chat ──────────────────────────────────────────────────────────────────

function openCitation(citations, number, trigger) {
  const at = citations.findIndex((citation) => citation.number === number);
  const citation = citations[at];
  openViewer({ document: citation.document, page: citation.page, quote: citation.quote, image: citation.image_url,
    boxes: citation.boxes, label: citation.page_label, citations, at, home: citation.page }, trigger);
}

function openHit(hit, trigger) {
  const quote = hit.chunk.text;
  openViewer({ document: hit.document, page: hit.chunk.first_page, quote, boxes: [], citations: [], at: -1, home: hit.chunk.first_page,
    image: inCollection(`/documents/${hit.document.id}/pages/${hit.chunk.first_page}.png?quote=${encodeURIComponent(quote.slice(0, 1500))}`) }, trigger);
}

function openViewer(view, trigger) {
  if (trigger) state.trigger = trigger;
  state.view = view;
  $("viewer").hidden = false;
  $("app").classList.add("reading");
  showPage();
  $("viewer").focus({ preventScroll: true });
}

function showPage() {
  const { document: doc, page, quote, citations, at, home, label } = state.view;
  const here = page === home;
  $("viewer-title").textContent = doc.title || doc.name;
  $("viewer-where").textContent = `${doc.name}, page ${here && label ? label : page}`;
  $("viewer-quote").textContent = here ? quote : "";
  $("page-of").textContent = `${page} of ${doc.pages}`;
  $("cite-of").textContent = at >= 0 ? `Source ${at + 1} of ${citations.length}` : "Passage";
  $("page-prev").disabled = page <= 1;
  $("page-next").disabled = page >= doc.pages;
  $("cite-prev").disabled = at <= 0;
  $("cite-next").disabled = at < 0 || at >= citations.length - 1;
  $("viewer-open").href = `${inCollection(`/documents/${doc.id}/file`)}#page=${page}`;
  for (const button of document.querySelectorAll("[data-cite], .source")) button.removeAttribute("aria-expanded");
  state.trigger?.setAttribute("aria-expanded", "true");
  showImage(here && state.view.image ? state.view.image : inCollection(`/documents/${doc.id}/pages/${page}.png`), here ? state.view.boxes : []);
}

async function showImage(url, boxes) {
  const image = $("page-image"), wanted = (state.view.url = url);
  image.hidden = true;
  $("paper-state").textContent = "Drawing the page…";
  try {
    await send(url);  // its problem says why there is no image; the image itself is then cached
    image.src = url;
    await image.decode();
  } catch (error) {
    if (state.view?.url === wanted) $("paper-state").textContent = `${error.message}\n${error.hint ?? ""}`;
    return;
  }
  if (state.view?.url !== wanted) return;
  image.alt = `Page ${state.view.page} of ${state.view.document.title || state.view.document.name}${boxes.length ? ", with the quoted passage marked" : ""}`;
  image.hidden = false;
  $("paper-state").textContent = "";
  const scale = (110 / 72) * (image.clientWidth / image.naturalWidth);
  $("paper").scrollTop = boxes.length ? Math.max(0, boxes[0][1] * scale - 90) : 0;
}

function turnPage(step) {
  const { view } = state;
  if (!view || view.page + step < 1 || view.page + step > view.document.pages) return;
  view.page += step;
  showPage();
}

function turnCitation(step) {
  const next = state.view?.citations[state.view.at + step];
  if (next) openCitation(state.view.citations, next.number, null);
}

function closeViewer() {
  if (!state.view) return;
  state.view = null;
  $("viewer").hidden = true;
  $("app").classList.remove("reading");
  state.trigger?.removeAttribute("aria-expanded");
  if (state.trigger?.isConnected) state.trigger.focus();
  state.trigger = null;
}

// ── documents ─────────────────────────────────────────────────────────────────────────────────

async function loadDocuments() {
  const { documents, total } = await getJSON(inCollection("/documents?limit=1000"));
  Object.assign(state, { documents, total });
  state.scope = new Set([...state.scope].filter((id) => documents.some((doc) => doc.id === id)));
  $("documents-count").textContent = total ? plural(total, "document") : "Documents";
  showScope();
  showEmpty();
  if ($("documents").open) showDocuments();
}

function showScope() {
  const n = state.scope.size;
  const one = n === 1 ? state.documents.find((doc) => state.scope.has(doc.id)) : null;
  $("scope").textContent = one ? `Only ${one.title || one.name}` : n ? `Only ${plural(n, "document")}` : "All documents";
  $("scope").classList.toggle("some", n > 0);
}

function showDocuments() {
  const wanted = $("document-search").value.trim().toLowerCase();
  const shown = state.documents.filter((doc) => `${doc.title} ${doc.name}`.toLowerCase().includes(wanted));
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
    el("label", { title: name }, box, el("div", {}, el("b", {}, name), el("small", {}, `${plural(doc.pages, "page")}${empty}, ${doc.name}`))),
    el("a", { class: "icon", href: inCollection(`/documents/${doc.id}/file`), target: "_blank", rel: "noopener", "aria-label": `Open ${name}` }, icon("open")),
    iconButton("trash", `Remove ${name}`, () => removeDocument(doc)));
}

async function removeDocument(doc) {
  if (!await prompt({ title: "Remove document?", text: `${doc.title || doc.name} will no longer be searched.`, ok: "Remove" })) return;
  try { await send(inCollection(`/documents/${doc.id}`), { method: "DELETE" }); } catch (error) { await failed(error); }
  await loadDocuments();
}

// So many files at once that neither the number of parts nor the size of a request is beyond the service.
const BATCH = { files: 50, bytes: 64 << 20 };

function batches(files) {
  const found = [[]];
  let bytes = 0;
  for (const file of files) {
    if (found.at(-1).length && (found.at(-1).length >= BATCH.files || bytes + file.size > BATCH.bytes)) { found.push([]); bytes = 0; }
    found.at(-1).push(file);
    bytes += file.size;
  }
  return found;
}

async function upload(files) {
  const chosen = [...files];
  if (!chosen.length) return;
  const title = chosen.length === 1 ? chosen[0].name : plural(chosen.length, "file");
  const bar = el("progress", { max: 100, value: 0, "aria-label": `Adding ${title}` });
  const note = el("p", {}, "Uploading");
  const card = el("div", { class: "upload" }, el("header", {}, icon("doc"), el("b", { title }, title), iconButton("x", `Dismiss: ${title}`, () => { card.remove(); $("tray").hidden = !$("tray").childElementCount; })), bar, note);
  $("tray").hidden = false;
  $("tray").append(card);
  card.scrollIntoView({ block: "nearest" });
  const whole = chosen.reduce((sum, file) => sum + file.size, 0) || 1, jobs = [], sent = [];
  let bytes = 0;
  try {
    for (const batch of batches(chosen)) {
      const { job, files: told } = await post(batch, (loaded) => { bar.value = (40 * (bytes + loaded)) / whole; });
      bytes += batch.reduce((sum, file) => sum + file.size, 0);
      if (job) jobs.push(job);
      sent.push(...told.filter((file) => file.status !== "queued"));
    }
    for (const [n, job] of jobs.entries()) sent.push(...await watch(job, bar, note, n / jobs.length, 1 / jobs.length));
    uploadEnded(card, ...outcome(sent));
  } catch (error) {
    uploadEnded(card, `${error.message}. ${error.hint ?? ""}`, true);
  }
  if (jobs.length) await loadDocuments();
}

// Resolves to the service's answer; a single file that it refuses is one of the answer's files.
async function post(files, onprogress) {
  const form = new FormData();
  for (const file of files) form.append("file", file, file.name);
  const request = new XMLHttpRequest();
  request.open("POST", inCollection("/documents"));
  request.responseType = "json";
  request.upload.onprogress = (event) => onprogress(event.loaded);
  await new Promise((resolve) => { request.onloadend = resolve; request.send(form); });
  if (request.status === 401) { await login(); return post(files, onprogress); }
  if (request.status >= 200 && request.status < 300) return request.response;
  const problem = request.response ?? { detail: "The service does not answer", hint: "Check that rag serve is running, then try again." };
  if (files.length === 1 && [413, 415, 422].includes(request.status)) return { job: null, files: [{ name: files[0].name, status: "failed", problem }] };
  throw new Problem(problem);
}

async function watch(job, bar, note, from, share) {
  for await (const [, now] of events(await send(`/jobs/${job.id}`, { headers: { Accept: "text/event-stream" } }))) {
    job = now;
    const p = job.progress;
    const done = p?.chunks_extracted ? 0.35 + (0.6 * p.chunks_embedded) / p.chunks_extracted : job.status === "running" ? 0.15 : 0.05;
    bar.value = 40 + 60 * (from + share * done);
    note.textContent = job.status === "queued" ? "Waiting for its turn" : p?.pages ? `Read ${plural(p.pages, "page")}` : "Reading";
  }
  return job.files;
}

// What became of the files, in words; and whether any could not be taken.
function outcome(files) {
  const count = (status) => files.filter((file) => file.status === status).length;
  const done = count("done"), known = count("duplicate");
  const refused = files.filter((file) => file.problem).map(({ name, problem }) => {
    const detail = problem.detail.startsWith(name) ? problem.detail : `${name}: ${problem.detail}`;
    return `${detail}. ${problem.hint}`.trim();
  });
  const parts = [done ? `${plural(done, "document")} ready` : "", known ? (known === files.length ? "Already here: nothing to do" : `${known} already here`) : "", ...refused];
  return [parts.filter(Boolean).join("\n"), refused.length > 0];
}

function uploadEnded(card, text, bad) {
  card.querySelector("progress").remove();
  Object.assign(card.querySelector("p"), { textContent: text, className: bad ? "bad" : "" });
  say(text);
  if (!bad) setTimeout(() => card.querySelector("button").click(), 6000);
}

// ── start, collection, model ──────────────────────────────────────────────────────────────────

function showEmpty() {
  const empty = $("empty");
  empty.hidden = $("turns").childElementCount > 0;
  if (empty.hidden) return;
  if (!state.total) {
    empty.replaceChildren(el("h2", {}, "Ask your own documents"),
      el("p", {}, "Add PDFs and ask about them in plain words. Every answer shows the page that it rests on."),
      el("button", { type: "button", class: "dropzone", onclick: () => $("files").click() }, icon("doc"), el("b", {}, "Drop PDFs anywhere"), el("span", {}, "or choose files")));
    return;
  }
  const starts = state.documents.slice(0, 4).map((doc) => el("button", { type: "button", class: "start", onclick: () => {
    $("question").value = `What is “${doc.title || doc.name}” about?`;
    resize();
    $("question").focus();
  } }, "What is it about?", el("small", {}, doc.title || doc.name)));
  empty.replaceChildren(el("h2", {}, "What would you like to know?"),
    el("p", {}, `${plural(state.total, "document")} to look through. Answers cite the page they rest on; what the documents do not say is marked.`), el("div", { class: "starts" }, ...starts));
}

async function loadCollections() {
  const collections = await getJSON("/collections");
  const saved = store.getItem("collection");
  state.collection = collections.some((c) => c.name === saved) ? saved : collections.find((c) => c.default).name;
  showCollections(collections);
}

function showCollections(collections) {
  $("collection").replaceChildren(...collections.map((c) => el("option", { value: c.name, selected: c.name === state.collection }, c.name)));
  $("drop-name").textContent = state.collection;
}

async function setCollection(name) {
  state.collection = name;
  state.scope.clear();
  store.setItem("collection", name);
  showCollections(await getJSON("/collections"));
  await loadDocuments();
}

async function loadModels() {
  const models = await getJSON("/models");
  $("model").replaceChildren(...models.map((m) => el("option", { value: m.default ? "" : m.name, selected: m.default }, m.name.split("/").at(-1))));
}

async function waitForModel() {
  for (;;) {
    const response = await fetch("/ready").catch(() => null);
    $("notice").hidden = response?.status === 200;
    if (response?.status === 200) return;
    $("notice").textContent = response ? "The model is being loaded. You can ask already; the first answer takes a little longer." : "The service does not answer.";
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

// ── wiring ────────────────────────────────────────────────────────────────────────────────────

function resize() {
  const area = $("question");
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight}px`;
}

function closeSide() {
  $("side").classList.remove("open");
  $("scrim").hidden = true;
  $("side-open").setAttribute("aria-expanded", "false");
}

function showTheme() {
  const dark = (store.getItem("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").setAttribute("aria-pressed", String(dark));
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
on("documents-open", "click", () => { showDocuments(); $("documents").showModal(); });
on("scope", "click", () => { showDocuments(); $("documents").showModal(); });
on("document-search", "input", showDocuments);
on("scope-all", "click", () => { state.scope.clear(); showScope(); showDocuments(); });
on("documents-add", "click", () => $("files").click());
on("attach", "click", () => $("files").click());
on("files", "change", () => { upload($("files").files); $("files").value = ""; });
on("new-collection", "click", async () => {
  const name = await prompt({ title: "New collection", text: "Letters, digits, dots and dashes.", label: "Name", ok: "Make it" });
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

// On a phone the choices of the header live in the drawer.
const narrow = matchMedia("(max-width: 800px)");
function placePicks() {
  for (const pick of document.querySelectorAll(".pick")) {
    if (narrow.matches) $("side").insertBefore(pick, $("side").lastElementChild);
    else $("documents-open").before(pick);
  }
}
narrow.addEventListener("change", placePicks);
placePicks();

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
  waitForModel().then(loadModels).catch(() => {});
  await loadCollections();
  const id = new URLSearchParams(location.search).get("session");
  await Promise.all([loadDocuments(), loadModels()]);
  if (id) await openSession(id);
  else await listSessions();
  document.body.dataset.ready = "true";
  $("question").focus();
}

const started = start();
started.catch((error) => { $("notice").hidden = false; $("notice").textContent = `${error.message}. ${error.hint ?? ""}`; });
