// Asking: the stream of an answer told to its turn.

import { Problem, events, getJSON, send, withBody } from "./api.js";
import { failed } from "./dialogs.js";
import { $, icon, plural, say } from "./dom.js";
import { listSessions, openSession, setSession } from "./sessions.js";
import { showEmpty } from "./start.js";
import { state } from "./state.js";
import { Turn } from "./turn.js";

export async function ask(question, replaced = null, { wait = false, goOn = false } = {}) {
  if (state.running) return;
  const turn = new Turn(question);
  if (replaced) {
    while (replaced.node.nextSibling) replaced.node.nextSibling.remove();
    replaced.node.replaceWith(turn.node);
  } else {
    $("turns").append(turn.node);
  }
  showEmpty();
  turn.doing("Looking through your documents");
  say("Looking for an answer");
  follow(true);
  await hear(turn, async (signal) => {
    await state.started; // which collection is asked is not known before
    const replaces = replaced ? await turnId(replaced) : null;
    if (!state.session) setSession(await (await send("/sessions", withBody("POST", { title: question.slice(0, 200), collection: state.collection }))).json());
    listSessions().catch(() => {});
    const body = { question, session_id: state.session.id, collection: state.collection, documents: [...state.scope], stream: true, render: true };
    if (replaces !== null) body[goOn ? "continues" : "replaces"] = replaces;
    if (wait) body.wait = true;
    if ($("model").value) body.model = $("model").value;
    if ($("quotes").value) body.quotes = $("quotes").value;
    return send("/query", withBody("POST", body, { signal }));
  });
  if (replaced) await showBranches(turn);
}

// An answer that the session was writing before this page came.
async function join(turn) {
  if (state.running) return;
  turn.doing("Looking through your documents");
  follow(true);
  const { id } = state.session;
  await hear(turn, (signal) => send(`/sessions/${id}/answer?render=true`, { signal }));
}

// The stream that `open` resolves to, told to the turn, until it ends or the page leaves it.
async function hear(turn, open) {
  const controller = new AbortController();
  const mine = { controller, turn, stop: () => stopAnswer(mine) };
  state.running = mine;
  showRunning(true);
  try {
    await tell(turn, await open(controller.signal));
  } catch (error) {
    if (mine.stopped) { turn.stopped(""); say("Stopped"); }
    else if (error.name !== "AbortError") { turn.fail(error); say(error.message); }
  } finally {
    if (state.running === mine || state.running === null) { state.running = null; showRunning(false); }
    follow();
  }
}

// Before the service has the question there is nothing to stop but the request.
async function stopAnswer(mine) {
  mine.stopped = true;
  try {
    if (state.session && mine.turn.id !== null) await send(`/sessions/${state.session.id}/stop`, { method: "POST" });
    else mine.controller.abort();
  } catch { mine.controller.abort(); }
}

// Which turns stand in this one's place, once it is kept.
async function showBranches(turn) {
  if (!state.session || !turn.node.isConnected) return;
  const { messages } = await getJSON(`/sessions/${state.session.id}`);
  const kept = messages.find((message) => message.id === turn.id);
  if (kept) turn.showBranches(kept.branches);
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
    if (name === "retrieved") { turn.id = data.turn_id; turn.retrieved(data.hits, data.pending); }
    else if (name === "quoted") turn.quote(data);
    else if (name === "waiting") turn.waiting(data);
    else if (name === "map_progress") turn.reading(data);
    else if (name === "thought") turn.think(data);
    else if (name === "html") turn.write(data);
    else if (name === "delta") turn.piece(data.text);
    else if (name === "stopped") { turn.stopped(""); say("Stopped"); return; }
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

$("turns").addEventListener("ask", ({ detail: { question, turn, ...how } }) => ask(question, turn, how));
$("turns").addEventListener("join", ({ detail: { turn } }) => join(turn));
$("turns").addEventListener("branch", async ({ detail: { id } }) => {
  if (state.running || !state.session) return;
  try {
    await send(`/sessions/${state.session.id}/branch`, withBody("PUT", { turn: id }));
    await openSession(state.session.id);
  } catch (error) { await failed(error); }
});
