// <df-theme>: radio buttons named theme. Switches at once and keeps the choice
// in the cookie by which the server draws the next page.
import type { Theme } from "../page.ts";

class ThemeSwitch extends HTMLElement {
  #ended: AbortController | undefined;

  connectedCallback(): void {
    this.#ended = new AbortController();
    this.addEventListener("change", (event) => {
      const input = event.target;
      if (!(input instanceof HTMLInputElement) || input.name !== "theme") return;
      const theme = input.value as Theme;
      document.documentElement.dataset["theme"] = theme;
      const secure = location.protocol === "https:" ? "; Secure" : "";
      document.cookie = `theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
      for (const other of document.querySelectorAll<HTMLInputElement>("df-theme input[name=theme]")) other.checked = other.value === theme;
    }, { signal: this.#ended.signal });
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
  }
}

customElements.define("df-theme", ThemeSwitch);
