// A question and its answer, from the first dots to the sources.

import { Problem } from "./api.js";
import { failed } from "./dialogs.js";
import { copied, el, icon, iconButton, nodes, plural, say, setHTML } from "./dom.js";
import { openCitation, openHit } from "./viewer.js";

export class Turn {
  constructor(question) {
    this.question = question;
    this.id = null;
    this.hits = [];
    this.prose = el("div", { class: "prose" });
    this.quotes = null; // what the answer begins with, before a model writes
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
    const again = () => { if (area.value.trim()) this.again(area.value.trim()); };
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { event.stopPropagation(); done(); }
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); again(); }
    });
    this.asked.replaceChildren(el("div", { class: "rewrite" }, area, el("div", {},
      el("button", { type: "button", class: "quiet", onclick: done }, "Cancel"),
      el("button", { type: "button", class: "primary", onclick: again }, "Send again"))));
    area.focus();
  }

  // Heard by ask.js, which asks; a turn knows only what it shows.
  again(question = this.question, how = {}) {
    this.tell("ask", { question, ...how });
  }

  tell(name, detail = {}) {
    this.node.dispatchEvent(new CustomEvent(name, { bubbles: true, detail: { turn: this, ...detail } }));
  }

  // Turns in this one's place: a question that was edited, an answer that was written again.
  showBranches(ids) {
    this.branches?.remove();
    if (ids.length < 2) return;
    const at = ids.indexOf(this.id);
    const go = (to, label, name) => {
      const button = iconButton(name, label, () => this.tell("branch", { id: ids[to] }));
      button.disabled = to < 0 || to >= ids.length;
      return button;
    };
    this.branches = el("div", { class: "branches", role: "group", "aria-label": "Versions" },
      go(at - 1, "Version before", "left"), el("span", {}, `${at + 1} of ${ids.length}`), go(at + 1, "Version after", "right"));
    this.node.insertBefore(this.branches, this.body);
  }

  doing(text) {
    this.status ??= el("span");
    this.status.textContent = text;
    if (this.status.isConnected) return; // the dots go on beating
    this.show(el("p", { class: "doing" }, el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")), this.status));
  }

  // Below the quotes, if there are any.
  show(...parts) {
    this.body.replaceChildren(...(this.quotes ? [this.quotes] : []), ...parts);
  }

  quote({ html, citations }) {
    this.quotes = el("div", { class: "prose" }, el("div", { class: "quoted" }));
    setHTML(this.quotes.firstChild, html);
    this.wire(this.quotes, citations);
    const told = this.status.textContent;
    this.status.remove();
    this.doing(told);
    say(`${plural(citations.length, "quote")} found. The model reads on`);
  }

  wire(prose, citations) {
    for (const button of prose.querySelectorAll(".cite")) {
      button.addEventListener("click", () => openCitation(citations, Number(button.dataset.cite), button));
    }
  }

  retrieved(hits, pending = 0) {
    this.hits = hits;
    this.pending = pending;
    const names = [...new Set(hits.map((hit) => hit.document.name))];
    if (names.length) this.doing(`Reading ${plural(hits.length, "passage")} of ${names[0]}${names.length > 1 ? ` and ${names.length - 1} more` : ""}`);
  }

  waiting({ files_done: done, files_total: total }) {
    this.doing(`Waiting for documents: ${done.toLocaleString()} of ${plural(total, "file")} read`);
  }

  // The answer knows nothing of documents that were being read when it was asked for.
  unread() {
    if (!this.pending) return null;
    return el("div", { class: "unread" }, icon("doc"),
      el("span", {}, `${plural(this.pending, "file")} ${this.pending === 1 ? "was" : "were"} still being read, and so not asked.`),
      el("button", { type: "button", class: "quiet", onclick: () => this.again(this.question, { wait: true }) }, "Answer again when they are read"));
  }

  // Documents that are read whole. A screen reader hears of each quarter, not of each page.
  reading({ pages_done: done, pages_total: total }) {
    const text = done < total ? `Read ${done.toLocaleString()} of ${plural(total, "page")}` : `Read ${plural(total, "page")}. Writing the answer`;
    this.doing(text);
    const quarter = Math.floor((4 * done) / total);
    if (quarter !== this.quarter) say(text);
    this.quarter = quarter;
  }

  // What a reasoning model thinks first: folded, for it is no answer and nobody checked it.
  think({ text, restart }) {
    if (!this.thoughts) {
      this.thoughts = el("details", { class: "thoughts" }, el("summary", {}, "Thoughts"), el("div", {}));
      this.node.insertBefore(this.thoughts, this.body);
    }
    const told = this.thoughts.lastElementChild;
    if (restart) { told.append(this.prose.textContent); this.prose.replaceChildren(); this.prose.remove(); this.held = ""; }
    told.append(text);
    if (!this.prose.isConnected) this.doing("Thinking");
  }

  // Blocks that have ended stand; of the open one, what came since it was last rendered is text.
  write({ html, open }) {
    this.open ??= el("div", { class: "open" });
    if (!this.open.isConnected) this.prose.append(this.open);
    this.open.before(...nodes(html));
    this.tail = el("span", { class: "tail" });
    this.held = "";
    setHTML(this.open, open);
    (this.open.querySelector(":scope > p:last-child") ?? this.open).append(this.tail);
    if (!this.prose.isConnected) this.show(this.prose);
    this.body.classList.add("writing");
  }

  // Markers are not verified yet: they are left out, as in what is rendered.
  piece(text) {
    if (!this.tail?.isConnected) return;
    this.held = (this.held ?? "") + text;
    const told = this.held.replace(/ ?\[\d{1,3}\]/g, "");
    const at = told.search(/ ?(\[\d{0,3})?$/);
    this.tail.append(told.slice(0, at));
    this.held = told.slice(at);
  }

  finish(answer) {
    this.answer = answer;
    this.pending = answer.pending ?? 0;
    this.body.classList.remove("writing");
    setHTML(this.prose, answer.html ?? "");
    if (answer.refused) {
      this.body.replaceChildren(this.refusal(answer), ...[this.unread()].filter(Boolean), this.after(answer));
      return;
    }
    this.wire(this.prose, answer.citations);
    const unread = [this.unread()].filter(Boolean);
    this.body.replaceChildren(this.prose, this.sources(answer), ...this.compared(answer), ...unread, this.after(answer));
  }

  sources({ citations }) {
    return el("div", { class: "sources", role: "group", "aria-label": "Sources" }, ...citations.map((citation) => {
      const button = el("button", { type: "button", class: "source" }, el("b", {}, String(citation.number)),
        el("span", {}, citation.document.title || citation.document.name), el("small", {}, `p. ${citation.page_label || citation.page}`));
      button.addEventListener("click", () => openCitation(citations, citation.number, button));
      return button;
    }));
  }

  // What claims contradict or say in other words, with the place's own words.
  compared({ claims = [] }) {
    const told = claims.filter((claim) => claim.near && !claim.sources.length);
    if (!told.length) return [];
    return [el("div", { class: "near compared", role: "group", "aria-label": "To compare" }, el("h4", {}, "To compare"),
      ...told.map(({ note, near, finding }) => el("button", { type: "button", onclick: (event) => openCitation([near], near.number, event.currentTarget) },
        el("small", { class: finding === "contradicted" ? "bad" : "" }, `${note}, ${near.document.title || near.document.name}`), el("span", {}, `“${near.quote}”`))))];
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

  stopped(html, broken = false) {
    this.body.classList.remove("writing");
    if (html) setHTML(this.prose, html);
    const parts = this.prose.childNodes.length ? [this.prose] : [];
    const note = broken ? "Unfinished: the service ended while it was written. Not checked against the documents." : "Stopped. Not checked against the documents.";
    const goOn = el("button", { type: "button", class: "quiet go-on", onclick: () => this.again(this.question, { goOn: true }) }, "Continue");
    this.show(...parts, ...(parts.length ? [goOn] : []), this.after({ text: this.prose.textContent }, note));
  }

  fail(error) {
    this.body.classList.remove("writing");
    this.body.replaceChildren(el("div", { class: "card bad", role: "alert" }, icon("warn"), el("h3", {}, error.message),
      error.hint ? el("p", {}, error.hint) : null,
      error.code === "index_pending" ? el("button", { type: "button", class: "primary", onclick: () => this.again(this.question, { wait: true }) }, "Answer when they are read") : null,
      el("button", { type: "button", class: "quiet", onclick: () => this.again() }, icon("retry"), "Try again")));
  }

  after(answer, note = "") {
    const copy = iconButton("copy", "Copy the answer", async () => {
      if (!await copied(answer.text)) return failed(new Problem({ detail: "The browser does not let the page copy", hint: "Select the text and copy it by hand." }));
      copy.replaceChildren(icon("check"));
      say("Copied");
      setTimeout(() => copy.replaceChildren(icon("copy")), 1500);
    });
    const retry = iconButton("retry", "Answer again", () => this.again());
    return el("div", { class: "after" }, answer.text ? copy : null, retry, el("span", { class: "meta" }, note || answer.model || ""));
  }
}
