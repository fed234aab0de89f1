// Questions and problems in a dialog.

import { $ } from "./dom.js";

// Resolves to the text (or true, without a field), or null when cancelled.
export function prompt({ title, text = "", label = null, value = "", ok, type = "text" }) {
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

export const failed = (error) => prompt({ title: error.message, text: error.hint ?? "", ok: "Close" });
