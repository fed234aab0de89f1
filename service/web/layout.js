// The drawer, the theme, whether quotes are chosen, the header's choices on a phone.

import { $ } from "./dom.js";
import { store } from "./state.js";

export function closeSide() {
  $("side").classList.remove("open");
  $("scrim").hidden = true;
  $("side-open").setAttribute("aria-expanded", "false");
}

export function showTheme() {
  const dark = (store.getItem("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").setAttribute("aria-pressed", String(dark));
}

export function showQuotes() {
  $("quotes").classList.toggle("some", $("quotes").value !== "");
}

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
