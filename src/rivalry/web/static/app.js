/** The workbench: addresses, pages, and the choice of light or dark. */

import { failed, load } from "./api.js";

/** @typedef {{root: HTMLElement, query: URLSearchParams, go: (address: string) => void, title: (text: string) => void}} Place */

const PAGES = { "/": "home", "/study": "study", "/run": "run", "/results": "results", "/compare": "compare", "/explore": "explore" };
const root = /** @type {HTMLElement} */ (document.getElementById("page"));
let leave = () => {};
let shown = 0;

/** Show the page of the present address. */
async function show() {
  const turn = ++shown;
  leave();
  leave = () => {};
  const name = /** @type {any} */ (PAGES)[location.pathname] ?? "home";
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.getAttribute("href") === location.pathname;
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const place = { root, query: new URLSearchParams(location.search), go,
    title: (/** @type {string} */ text) => { document.title = text ? `${text} · rivalry` : "rivalry"; } };
  try {
    const page = await load(`./pages/${name}.js`);
    if (turn !== shown) return;
    root.replaceChildren();
    root.dataset.page = name;
    place.title("");
    const end = await page(place);
    if (turn !== shown) end?.();
    else if (end) leave = end;
  } catch (error) {
    if (turn === shown) root.replaceChildren(failed(error, show));
  }
  if (turn === shown) root.dataset.ready = "true";
}

/** @param {string} address */
export function go(address) {
  delete root.dataset.ready;
  history.pushState(null, "", address);
  scrollTo(0, 0);
  show();
}

addEventListener("popstate", show);
document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const address = new URL(/** @type {HTMLAnchorElement} */ (link).href);
  if (address.origin !== location.origin || !(address.pathname in PAGES) || link.hasAttribute("download")) return;
  if (address.hash && address.pathname === location.pathname) return;
  event.preventDefault();
  go(address.pathname + address.search);
});

const theme = /** @type {HTMLButtonElement} */ (document.getElementById("theme"));
const MODES = ["auto", "light", "dark"];
function applyTheme() {
  const mode = localStorage.getItem("theme") ?? "auto";
  if (mode === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = mode;
  theme.textContent = { auto: "◐ Auto", light: "☀ Light", dark: "☾ Dark" }[mode] ?? "";
}
theme.addEventListener("click", () => {
  const mode = localStorage.getItem("theme") ?? "auto";
  localStorage.setItem("theme", MODES[(MODES.indexOf(mode) + 1) % 3]);
  applyTheme();
});
applyTheme();

const given = new URLSearchParams(location.search);
if (given.has("token")) {
  given.delete("token"); // exchanged for a cookie; it need not stay in the history
  history.replaceState(null, "", location.pathname + (given.size ? `?${given}` : ""));
}
show();
