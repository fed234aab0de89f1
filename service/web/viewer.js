// The page beside the chat, with the quote marked.

import { inCollection, send } from "./api.js";
import { $ } from "./dom.js";
import { state } from "./state.js";

export function openCitation(citations, number, trigger) {
  const at = citations.findIndex((citation) => citation.number === number);
  const citation = citations[at];
  openViewer({ document: citation.document, page: citation.page, quote: citation.quote, image: citation.image_url,
    boxes: citation.boxes, label: citation.page_label, citations, at, home: citation.page }, trigger);
}

export function openHit(hit, trigger) {
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

export function turnPage(step) {
  const { view } = state;
  if (!view || view.page + step < 1 || view.page + step > view.document.pages) return;
  view.page += step;
  showPage();
}

export function turnCitation(step) {
  const next = state.view?.citations[state.view.at + step];
  if (next) openCitation(state.view.citations, next.number, null);
}

export function closeViewer() {
  if (!state.view) return;
  state.view = null;
  $("viewer").hidden = true;
  $("app").classList.remove("reading");
  state.trigger?.removeAttribute("aria-expanded");
  if (state.trigger?.isConnected) state.trigger.focus();
  state.trigger = null;
}
