// What the page tells its scripts.
import { english, type Locale } from "./format.ts";

let known: Locale | undefined;

/** The viewer's way to write numbers, out of the page. */
export function locale(): Locale {
  if (!known) {
    const text = document.getElementById("df-locale")?.textContent;
    known = text ? (JSON.parse(text) as Locale) : english;
  }
  return known;
}

export type Theme = "auto" | "light" | "dark";

const systemDark = matchMedia("(prefers-color-scheme: dark)");

/** Tells whether the page is shown dark, whoever decided so. */
export function isDark(): boolean {
  const theme = document.documentElement.dataset["theme"];
  return theme === "dark" || (theme !== "light" && systemDark.matches);
}

/** Calls back when the page turns dark or light; the answer ends that. */
export function onThemeChange(call: () => void): () => void {
  const observer = new MutationObserver(call);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  systemDark.addEventListener("change", call);
  return () => {
    observer.disconnect();
    systemDark.removeEventListener("change", call);
  };
}

const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");

export function reducedMotion(): boolean {
  return lessMotion.matches;
}

/** Says a sentence to screen readers, at most once in 30 s unless it answers
 * what the person did. */
let lastSaid = Number.NEGATIVE_INFINITY;
export function announce(text: string, asked = false): void {
  const region = document.getElementById("announcer");
  if (!region || (!asked && performance.now() - lastSaid < 30_000)) return;
  lastSaid = performance.now();
  region.textContent = text;
}

/** Tells whether single keys belong to what has the focus. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select, [role=textbox]"));
}
