// <df-filter name="…">: ui.FilterSelect. Searches the list of values, here or
// on the server (data-options-url of the search field, asked with ?q= whenever
// the list is opened and while one types; it answers ui.FilterOptions), clears
// it, and on Apply closes and fires df:filter (bubbling) with {name, values}
// before its form is sent. With data-none, the summary of nothing, the choice goes
// with the form later, and the button says it once the list closes. data-open has
// it open by itself.
import { transport } from "../transport.ts";

class Filter extends HTMLElement {
  #ended: AbortController | undefined;
  #asked: AbortController | undefined;
  #timer = 0;

  connectedCallback(): void {
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    const pop = this.querySelector<HTMLElement>("[popover]");
    const search = this.querySelector<HTMLInputElement>("[data-filter-search]");
    if (!pop) return;
    search?.addEventListener("input", () => {
      const url = search.dataset["optionsUrl"];
      if (url) this.#ask(url, search.value.trim());
      else this.#narrow(search.value.trim().toLowerCase());
    }, { signal });
    search?.addEventListener("keydown", (event) => {
      // Enter belongs to the list, not to the form around it.
      if (event.key !== "Enter") return;
      event.preventDefault();
      const options = [...this.querySelectorAll<HTMLElement>(".filter-option:not([hidden])")];
      if (options.length === 1) options[0]?.querySelector("input")?.click();
    }, { signal });
    pop.addEventListener("toggle", (event) => {
      if ((event as ToggleEvent).newState !== "open") {
        this.#sum();
        return;
      }
      (search ?? pop.querySelector("input"))?.focus();
      const url = search?.dataset["optionsUrl"];
      if (url) this.#ask(url, search.value.trim(), 0);
    }, { signal });
    this.querySelector("[data-filter-clear]")?.addEventListener("click", () => {
      for (const input of this.#inputs()) input.checked = false;
      for (const input of this.querySelectorAll<HTMLInputElement>(".filter-typed input")) input.value = "";
    }, { signal });
    this.querySelector("[data-filter-apply]")?.addEventListener("click", () => {
      pop.hidePopover();
      const values = this.#inputs().filter((input) => input.checked).map((input) => input.value);
      this.dispatchEvent(new CustomEvent("df:filter", { bubbles: true, detail: { name: this.getAttribute("name") ?? "", values } }));
    }, { signal });
    if (this.hasAttribute("data-open")) pop.showPopover();
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
    this.#asked?.abort();
    clearTimeout(this.#timer);
  }

  #inputs(): HTMLInputElement[] {
    return [...this.querySelectorAll<HTMLInputElement>(".filter-option input")];
  }

  /** Says on the button what is chosen, where it counts however the list closes. */
  #sum(): void {
    const none = this.dataset["none"];
    const summary = this.querySelector(".filter-value");
    if (none === undefined || !summary) return;
    const chosen = this.#inputs().filter((input) => input.checked);
    summary.textContent = chosen.map((input) => input.closest("label")?.dataset["text"] ?? input.value).join(", ") || none;
  }

  #narrow(wanted: string): void {
    let shown = 0;
    for (const option of this.querySelectorAll<HTMLElement>(".filter-option")) {
      option.hidden = !(option.dataset["text"] ?? "").toLowerCase().includes(wanted);
      if (!option.hidden) shown++;
    }
    this.#none(shown === 0);
  }

  #none(nothing: boolean): void {
    const note = this.querySelector<HTMLElement>("[data-filter-none]");
    if (note) note.hidden = !nothing;
  }

  /** Says in the list why there is none: the sentence of the answer's notice. */
  #say(list: Element, answer: string): void {
    const said = new DOMParser().parseFromString(answer, "text/html").querySelector(".toast p");
    if (!said) return;
    said.className = "filter-said";
    said.setAttribute("role", "alert");
    list.querySelector(".filter-said")?.remove();
    list.prepend(said);
    this.#none(false);
  }

  /** Chosen values stay in the list, whatever the search finds. */
  #ask(url: string, term: string, wait = 150): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      this.#asked?.abort();
      this.#asked = new AbortController();
      const list = this.querySelector("[data-filter-list]");
      if (!list) return;
      const target = new URL(url, location.href);
      target.searchParams.set("q", term);
      try {
        const answer = await fetch(target, { headers: { "HX-Request": "true", "HX-Request-Type": "partial", "HX-Current-URL": location.href, ...transport.headers() }, signal: this.#asked.signal });
        if (!answer.ok) {
          this.#say(list, await answer.text());
          return;
        }
        const chosen = [...list.querySelectorAll<HTMLElement>(".filter-option:has(input:checked)")];
        const kept = new Set(chosen.map((option) => option.querySelector("input")?.value));
        const found = document.createElement("div");
        found.innerHTML = await answer.text();
        const hits = found.childElementCount;
        const fresh = [...found.children].filter((option) => !kept.has(option.querySelector("input")?.value));
        list.replaceChildren(...chosen, ...fresh);
        this.#none(hits === 0);
      } catch (error) {
        // A newer term took over, or the connection is gone: the list stays.
        if (!(error instanceof DOMException) && !(error instanceof TypeError)) throw error;
      }
    }, wait);
  }
}

customElements.define("df-filter", Filter);
