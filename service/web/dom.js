// Elements, and small things every part of the page uses. HTML comes only as the service rendered it; all
// other text is set as text.

export const $ = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

export const iconButton = (name, label, onclick) =>
  el("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick }, icon(name));

export const nodes = (html) => [...new DOMParser().parseFromString(html, "text/html").body.childNodes];
export const setHTML = (node, html) => node.replaceChildren(...nodes(html));

export const say = (text) => { $("live").textContent = text; };
export const plural = (n, one) => `${n.toLocaleString()} ${one}${n === 1 ? "" : "s"}`;

// A page that came over plain HTTP from another machine has no clipboard but this older one.
export async function copied(text) {
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

// Code of any answer, whenever it came.
document.addEventListener("click", async ({ target }) => {
  if (!target.matches?.(".copy-code")) return;
  const done = await copied(target.closest(".codebox").querySelector("code").textContent);
  target.textContent = done ? "Copied" : "Not copied";
  say(target.textContent);
  setTimeout(() => { target.textContent = "Copy"; }, 1500);
});
