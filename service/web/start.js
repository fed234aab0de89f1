// What stands where nothing has been asked yet; the question's field.

import { $, el, icon, plural } from "./dom.js";
import { state } from "./state.js";

export function showEmpty() {
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

export function resize() {
  const area = $("question");
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight}px`;
}
