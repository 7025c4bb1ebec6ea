// <df-review>: what a wizard counted of a file. Once a person reads it in
// another way, by type, name or column, the figures are those of before: they
// are dimmed, and the button outside says data-submit instead of a number of
// rows.

class Review extends HTMLElement {
  #ended: AbortController | undefined;

  connectedCallback(): void {
    this.#ended = new AbortController();
    this.addEventListener("change", ({ target }) => {
      if (!(target instanceof Element) || !target.closest("tbody, .reading")) return;
      this.setAttribute("changed", "");
      const button = document.querySelector<HTMLElement>("[data-review-submit]");
      const words = button?.querySelector("span") ?? button;
      if (words && button) words.textContent = button.dataset["reviewSubmit"] ?? "";
    }, { signal: this.#ended.signal });
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
  }
}

customElements.define("df-review", Review);

export {};
