// <df-review>: what a wizard counted of a file. Once a person reads it in
// another way, by type, name or column, the figures are those of before: they
// are dimmed, and the button outside says data-submit instead of a number of
// rows. The icon beside a type follows what is chosen.

class Review extends HTMLElement {
  #ended: AbortController | undefined;

  connectedCallback(): void {
    this.#ended = new AbortController();
    this.addEventListener("change", ({ target }) => {
      if (!(target instanceof Element) || !target.closest("tbody, .reading")) return;
      if (target instanceof HTMLSelectElement) drawIcon(target);
      this.setAttribute("changed", "");
      const button = document.querySelector<HTMLElement>("[data-review-submit]");
      const words = button?.querySelector("span") ?? button;
      if (words && button) words.textContent = button.dataset["reviewSubmit"] ?? "";
    }, { signal: this.#ended.signal });
    // The browser may have put back what was chosen before.
    for (const select of this.querySelectorAll<HTMLSelectElement>(".type-select select")) drawIcon(select);
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
  }
}

function drawIcon(select: HTMLSelectElement): void {
  const name = select.selectedOptions[0]?.dataset["icon"];
  if (name) select.closest(".type-select")?.querySelector(":scope > .icon use")?.setAttribute("href", `#i-${name}`);
}

customElements.define("df-review", Review);

export {};
