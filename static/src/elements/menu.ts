// <df-menu>: a button with popovertarget and a popover of role menu. Adds the
// keyboard of a menu: arrows, Home, End, first letters; choosing closes it.

class Menu extends HTMLElement {
  #ended: AbortController | undefined;
  #typed = "";
  #typedAt = 0;

  connectedCallback(): void {
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    const list = this.querySelector<HTMLElement>("[popover]");
    const button = this.querySelector<HTMLElement>("[popovertarget]");
    if (!list || !button) return;
    list.addEventListener("toggle", (event) => {
      if ((event as ToggleEvent).newState === "open") this.#items(list)[0]?.focus({ preventScroll: true });
    }, { signal });
    list.addEventListener("keydown", (event) => this.#key(event, list), { signal });
    list.addEventListener("click", (event) => {
      const item = event.target instanceof Element ? event.target.closest(".menu-item") : null;
      if (item) list.hidePopover();
    }, { signal });
    button.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      event.preventDefault();
      list.showPopover();
      const items = this.#items(list);
      (event.key === "ArrowDown" ? items[0] : items.at(-1))?.focus();
    }, { signal });
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
  }

  #items(list: HTMLElement): HTMLElement[] {
    return [...list.querySelectorAll<HTMLElement>(".menu-item:not(:disabled)")];
  }

  #key(event: KeyboardEvent, list: HTMLElement): void {
    if (event.target instanceof HTMLInputElement) return;
    const items = this.#items(list);
    const at = items.indexOf(document.activeElement as HTMLElement);
    const go = (index: number): void => {
      event.preventDefault();
      items[(index + items.length) % items.length]?.focus();
    };
    switch (event.key) {
      case "ArrowDown":
        return go(at + 1);
      case "ArrowUp":
        return go(at < 0 ? -1 : at - 1);
      case "Home":
        return go(0);
      case "End":
        return go(items.length - 1);
      case "Tab":
        // A menu is left as a whole; a switch inside of it is reached first.
        if (!list.querySelector("input")) list.hidePopover();
        return;
    }
    if (event.key.length !== 1 || event.ctrlKey || event.metaKey || event.altKey || event.key === " ") return;
    this.#typed = event.timeStamp - this.#typedAt < 700 ? this.#typed + event.key : event.key;
    this.#typedAt = event.timeStamp;
    const start = this.#typed.toLowerCase();
    // One letter goes on to the next; more of them still may mean this one.
    const from = Math.max(0, start.length > 1 ? at : at + 1);
    const order = [...items.slice(from), ...items.slice(0, from)];
    order.find((item) => item.textContent.trim().toLowerCase().startsWith(start))?.focus();
    event.stopPropagation();
  }
}

customElements.define("df-menu", Menu);
