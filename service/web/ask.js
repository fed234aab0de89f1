// Asking: the stream of an answer told to its turn.

import { Problem, events, getJSON, send, withBody } from "./api.js";
import { $, icon, plural, say } from "./dom.js";
import { listSessions, setSession } from "./sessions.js";
import { showEmpty } from "./start.js";
import { state } from "./state.js";
import { Turn } from "./turn.js";

export async function ask(question, replaced = null, wait = false) {
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
    await state.started; // which collection is asked is not known before
    const replaces = replaced ? await turnId(replaced) : null;
    if (!state.session) setSession(await (await send("/sessions", withBody("POST", { title: question.slice(0, 200), collection: state.collection }))).json());
    listSessions().catch(() => {});
    const body = { question, session_id: state.session.id, collection: state.collection, documents: [...state.scope], stream: true, render: true };
    if (replaces !== null) body.replaces = replaces;
    if (wait) body.wait = true;
    if ($("model").value) body.model = $("model").value;
    if ($("quotes").value) body.quotes = $("quotes").value;
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
    if (name === "retrieved") { turn.id = data.turn_id; turn.retrieved(data.hits, data.pending); }
    else if (name === "quoted") turn.quote(data);
    else if (name === "waiting") turn.waiting(data);
    else if (name === "map_progress") turn.reading(data);
    else if (name === "thought") turn.think(data);
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

$("turns").addEventListener("ask", ({ detail: { question, turn, wait } }) => ask(question, turn, wait));
