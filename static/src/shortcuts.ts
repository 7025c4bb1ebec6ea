// Keyboard shortcuts of the shell. Single keys work only while no field has
// the focus, and not at all where the person turned them off.
import { isTyping } from "./page.ts";

const places: Record<string, string> = { h: "/", d: "/dashboards", s: "/datasets" };
let goUntil = 0;

function isOpen(): boolean {
  return document.querySelector("dialog[open], [popover]:popover-open") !== null;
}

function click(selector: string): boolean {
  const found = document.querySelector<HTMLElement>(selector);
  found?.click();
  return found !== null;
}

/** Moves the focus to the widget before or after the one that has it. */
function step(by: number): boolean {
  const widgets = [...document.querySelectorAll<HTMLElement>(".dash > .w")];
  if (widgets.length === 0) return false;
  const at = widgets.findIndex((widget) => widget.contains(document.activeElement));
  const next = widgets[at < 0 ? (by > 0 ? 0 : widgets.length - 1) : Math.min(Math.max(at + by, 0), widgets.length - 1)];
  if (!next) return false;
  if (!next.hasAttribute("tabindex")) next.tabIndex = -1;
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  return true;
}

const singles: Record<string, () => boolean> = {
  "?": () => {
    const list = document.getElementById("shortcuts");
    if (!(list instanceof HTMLDialogElement)) return false;
    list.showModal();
    return true;
  },
  "/": () => click("[data-search-open]"),
  r: () => click("[data-key-refresh]"),
  e: () => click("[data-key-edit]"),
  c: () => click("[data-key-comments]"),
  f: () => {
    const filter = document.querySelector<HTMLElement>("#page-bar button, #page-bar input");
    filter?.focus();
    return filter !== null;
  },
  "[": () => step(-1),
  "]": () => step(1),
};

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && !event.shiftKey && !event.altKey) {
    if (click("[data-search-open]")) event.preventDefault();
    return;
  }
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !isTyping(event.target) && !isOpen()) {
    // The editor has an undo of its own.
    const key = event.key.toLowerCase();
    const again = key === "y" || (key === "z" && event.shiftKey);
    if ((again || key === "z") && click(again ? "[data-key-redo]" : "[data-key-undo]")) event.preventDefault();
  }
  if (event.key === "Escape" && !isOpen() && !isTyping(event.target)) {
    if (click("[data-key-escape]")) event.preventDefault();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented) return;
  if (document.body.dataset["keys"] !== "on" || isTyping(event.target) || isOpen()) return;
  const key = event.key.toLowerCase();
  if (goUntil > event.timeStamp) {
    goUntil = 0;
    const place = places[key];
    // Only where the navigation leads: not everybody may see everything.
    if (place && document.querySelector(`.side-link[href="${place}"]`)) {
      event.preventDefault();
      location.assign(place);
      return;
    }
  }
  if (key === "g") {
    goUntil = event.timeStamp + 1200;
    return;
  }
  if (singles[key]?.()) event.preventDefault();
});
