// <df-reveal>: a password field and a button that shows what was typed. The
// button appears only with JavaScript.

class Reveal extends HTMLElement {
  #ended: AbortController | undefined;

  connectedCallback(): void {
    const input = this.querySelector("input");
    const button = this.querySelector("button");
    if (!input || !button) return;
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    const show = (shown: boolean): void => {
      input.type = shown ? "text" : "password";
      button.setAttribute("aria-pressed", String(shown));
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      show(input.type === "password");
      input.focus();
    }, { signal });
    // Never sent as a text field: browsers would remember it.
    input.form?.addEventListener("submit", () => show(false), { signal });
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
  }
}

customElements.define("df-reveal", Reveal);
