// <df-copy copied="Copied">: a field and a button that copies what is in it.
// The button appears only with JavaScript.

class Copy extends HTMLElement {
  #ended: AbortController | undefined;

  connectedCallback(): void {
    const input = this.querySelector("input");
    const button = this.querySelector("button");
    if (!input || !button) return;
    this.#ended = new AbortController();
    button.hidden = false;
    button.addEventListener("click", () => {
      input.select();
      navigator.clipboard.writeText(input.value).then(
        () => {
          const label = button.lastElementChild ?? button;
          label.textContent = this.getAttribute("copied");
        },
        () => input.focus(), // selected: the person can copy it themselves
      );
    }, { signal: this.#ended.signal });
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
  }
}

customElements.define("df-copy", Copy);
export {};
