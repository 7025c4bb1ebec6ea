// <df-palette results="/search">: the search dialog. Filters its entries while
// one types, asks the path in results (if any) for hits as HTML
// (views.SearchResults), and sends the form on Enter where nothing is chosen.

const marked = "palette-marked";

class Palette extends HTMLElement {
  #ended: AbortController | undefined;
  #asked: AbortController | undefined;
  #timer = 0;

  connectedCallback(): void {
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    const input = this.querySelector("input");
    const dialog = this.closest("dialog");
    if (!input || !dialog) return;
    document.addEventListener("click", (event) => {
      if (event.target instanceof Element && event.target.closest("[data-search-open]") && !dialog.open) {
        document.querySelector<HTMLElement>("#sidebar:popover-open")?.hidePopover();
        dialog.showModal();
        input.select();
        this.#typed(input.value.trim());
      }
    }, { signal });
    input.addEventListener("input", () => this.#typed(input.value.trim()), { signal });
    this.addEventListener("keydown", (event) => this.#key(event, input), { signal });
    this.addEventListener("click", (event) => {
      const item = event.target instanceof Element ? event.target.closest(".menu-item") : null;
      if (!item) return;
      if (item.matches("[data-palette-all]")) input.form?.requestSubmit();
      if (item.matches("button")) dialog.close();
    }, { signal });
    this.#typed(input.value.trim());
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
    this.#asked?.abort();
    clearTimeout(this.#timer);
  }

  #visible(): HTMLElement[] {
    return [...this.querySelectorAll<HTMLElement>("[data-palette-item], [data-palette-all]")].filter((item) => !item.hidden);
  }

  #mark(item: HTMLElement | undefined): void {
    for (const other of this.querySelectorAll("[data-active]")) {
      other.removeAttribute("data-active");
      other.removeAttribute("aria-selected");
      if (other.id === marked) other.removeAttribute("id");
    }
    item?.setAttribute("data-active", "");
    item?.setAttribute("aria-selected", "true");
    item?.scrollIntoView({ block: "nearest" });
    // The focus stays in the field, which names the marked entry.
    const input = this.querySelector("input");
    if (item) {
      item.id ||= marked;
      input?.setAttribute("aria-activedescendant", item.id);
    } else {
      input?.removeAttribute("aria-activedescendant");
    }
  }

  #typed(term: string): void {
    const wanted = term.toLowerCase();
    for (const item of this.querySelectorAll<HTMLElement>("[data-palette-item]:not([data-palette-hit])")) {
      item.hidden = !item.textContent.toLowerCase().includes(wanted);
    }
    const all = this.querySelector<HTMLElement>("[data-palette-all]");
    const shown = this.querySelector("[data-palette-term]");
    if (all) all.hidden = term === "";
    if (shown) shown.textContent = term;
    this.#mark(term === "" ? undefined : this.#visible()[0]);
    this.#ask(term);
  }

  #ask(term: string): void {
    const path = this.getAttribute("results");
    const target = this.querySelector("[data-palette-results]");
    if (!path || !target) return;
    clearTimeout(this.#timer);
    this.#asked?.abort();
    if (term === "") {
      target.replaceChildren();
      return;
    }
    this.#timer = setTimeout(async () => {
      this.#asked = new AbortController();
      try {
        const answer = await fetch(`${path}?${new URLSearchParams({ q: term })}`, { headers: { "HX-Request": "true" }, signal: this.#asked.signal });
        if (!answer.ok) return;
        target.innerHTML = await answer.text();
        this.#mark(this.#visible()[0]);
      } catch (error) {
        // A newer term took over, or there is no connection: the entries of the
        // page itself remain.
        if (!(error instanceof DOMException)) target.replaceChildren();
      }
    }, 120);
  }

  #key(event: KeyboardEvent, input: HTMLInputElement): void {
    if (event.key === "Escape") {
      // Search fields only clear themselves at the first Escape.
      event.preventDefault();
      this.closest("dialog")?.close();
      return;
    }
    const items = this.#visible();
    const at = items.findIndex((item) => item.hasAttribute("data-active"));
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.#mark(items[(at + step + items.length) % items.length]);
    } else if (event.key === "Enter" && event.target === input && at >= 0) {
      event.preventDefault();
      items[at]?.click();
    }
  }
}

customElements.define("df-palette", Palette);
