// <df-colour>: a colour as text and the browser's own choice of colours, which
// follow each other. The latter appears only with JavaScript, and is not sent.

class Colour extends HTMLElement {
  #ended: AbortController | undefined;

  connectedCallback(): void {
    const picker = this.querySelector<HTMLInputElement>("input[type=color]");
    const text = this.querySelector<HTMLInputElement>("input:not([type=color])");
    if (!picker || !text) return;
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    picker.hidden = false;
    picker.tabIndex = 0;
    // The event goes on to the form, which draws the preview anew.
    picker.addEventListener("input", () => {
      text.value = picker.value.toUpperCase();
    }, { signal });
    text.addEventListener("input", () => {
      const hex = /^#?([0-9a-f]{6})$/i.exec(text.value.trim())?.[1];
      if (hex) picker.value = `#${hex.toLowerCase()}`;
    }, { signal });
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
  }
}

customElements.define("df-colour", Colour);

export {};
