// Files on their way into the index.

import { Problem, events, inCollection, login, send } from "./api.js";
import { loadDocuments } from "./documents.js";
import { $, el, icon, iconButton, plural, say } from "./dom.js";

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

export async function upload(files) {
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
    note.textContent = job.problem ? `${job.problem.detail}: waiting` : job.status === "queued" ? "Waiting for its turn" : p?.pages ? `Read ${plural(p.pages, "page")}` : "Reading";
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
