// <df-theme>: radio buttons named theme. Switches at once and keeps the choice
// in the cookie by which the server draws the next page.
import type { Theme } from "../page.ts";

// Buttons with data-set-theme do the same from anywhere in the page.
function choose(theme: Theme): void {
  document.documentElement.dataset["theme"] = theme;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  for (const input of document.querySelectorAll<HTMLInputElement>("df-theme input[name=theme]")) input.checked = input.value === theme;
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-set-theme]") : null;
  if (button) choose(button.dataset["setTheme"] as Theme);
});

class ThemeSwitch extends HTMLElement {
  #ended: AbortController | undefined;

  connectedCallback(): void {
    this.#ended = new AbortController();
    this.addEventListener("change", (event) => {
      const input = event.target;
      if (!(input instanceof HTMLInputElement) || input.name !== "theme") return;
      choose(input.value as Theme);
    }, { signal: this.#ended.signal });
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
  }
}

customElements.define("df-theme", ThemeSwitch);
