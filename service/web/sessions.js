// The list of conversations, and the one that is open.

import { Problem, getJSON, send, withBody } from "./api.js";
import { setCollection } from "./collections.js";
import { failed, prompt } from "./dialogs.js";
import { $, el, icon, iconButton } from "./dom.js";
import { closeSide } from "./layout.js";
import { showEmpty } from "./start.js";
import { leave, state } from "./state.js";
import { Turn } from "./turn.js";
import { closeViewer } from "./viewer.js";

export async function listSessions() {
  const query = $("session-search").value.trim();
  const found = await getJSON(`/sessions?limit=200&q=${encodeURIComponent(query)}`);
  const items = [];
  let group = "";
  for (const session of found) {
    const when = age(session.updated_at);
    if (when !== group) items.push(el("li", { class: "group" }, (group = when)));
    items.push(sessionItem(session));
  }
  if (!items.length) items.push(el("li", { class: "none" }, query ? "No conversation has these words." : "Conversations will be listed here."));
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

export function setSession(session) {
  state.session = session;
  $("title").textContent = session?.title || "New conversation";
  document.title = session?.title ? `${session.title} · rag` : "Your documents";
  history.replaceState(null, "", session ? `?session=${session.id}` : location.pathname);
}

export function newSession() {
  leave();
  closeViewer();
  closeSide();
  setSession(null);
  $("turns").replaceChildren();
  showEmpty();
  listSessions().catch(() => {});
  $("question").focus();
}

export async function openSession(id) {
  leave();
  closeViewer();
  closeSide();
  try {
    const session = await getJSON(`/sessions/${id}?render=true`);
    setSession(session);
    if (session.collection !== state.collection) await setCollection(session.collection);
    const turns = session.messages.map(pastTurn);
    $("turns").replaceChildren(...turns.map((turn) => turn.node));
    showEmpty();
    $("scroll").scrollTop = $("scroll").scrollHeight;
    if (session.messages.at(-1)?.state === "answering") turns.at(-1).tell("join");
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
  turn.showBranches(message.branches);
  if (message.state === "done") turn.finish({ ...message.details, html: message.html });
  else if (message.state === "failed") turn.fail(new Problem(message.details.problem ?? {}));
  else if (message.state !== "answering") turn.stopped(message.html, message.state === "unfinished");
  return turn;
}
