// <df-groups data-act='{"kind":"set_field",…}' data-values="URL">: the body of
// the dialog in which values of a field are put together (views/grouping.templ).
// The groups are what the page shows: nothing is kept beside it. Save fires
// df:groups on the document with the act and who waits for its outcome; what
// the server refuses is said in the dialog, which stays open for it.
import type { Act } from "./sync.ts";
import { words } from "./words.ts";

interface Grouped {
  act: Act;
  outcome: (refused?: string) => void;
}

declare global {
  interface DocumentEventMap {
    "df:groups": CustomEvent<Grouped>;
  }
}

const typingPause = 150;

class Groups extends HTMLElement {
  #ended: AbortController | undefined;
  #asked: AbortController | undefined;
  #typing = 0;

  connectedCallback(): void {
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    this.addEventListener("click", (event) => this.#click(event), { signal });
    this.addEventListener("change", () => this.#mark(), { signal });
    this.addEventListener("input", (event) => this.#typed(event), { signal });
    this.addEventListener("keydown", (event) => this.#key(event), { signal });
    this.closest("dialog")?.querySelector("[data-save]")?.addEventListener("click", (event) => this.#send(event.currentTarget as HTMLButtonElement), { signal });
    this.#mark();
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
    this.#asked?.abort();
    clearTimeout(this.#typing);
  }

  get #groups(): HTMLElement[] {
    return [...this.querySelectorAll<HTMLElement>("[data-group]")];
  }

  get #chosen(): HTMLInputElement[] {
    return [...this.#find("[data-list]").querySelectorAll<HTMLInputElement>("input:checked")];
  }

  #find<E extends HTMLElement = HTMLElement>(selector: string): E {
    return this.querySelector(selector) as E;
  }

  #made(template: string): HTMLElement {
    return (this.#find<HTMLTemplateElement>(`[data-template=${template}]`).content.cloneNode(true) as DocumentFragment).firstElementChild as HTMLElement;
  }

  #click(event: MouseEvent): void {
    const target = event.target as Element;
    const value = target.closest<HTMLElement>("[data-word]");
    const group = target.closest<HTMLElement>("[data-group]");
    if (target.closest("[data-new]")) {
      const made = this.#made("group");
      this.#find("[data-groups]").append(made);
      this.#put(made);
      made.scrollIntoView({ block: "nearest" });
      nameOf(made).focus();
    } else if (value) {
      const next = (value.nextElementSibling ?? value.previousElementSibling) as HTMLElement | null;
      value.remove();
      (next ?? (group ? nameOf(group) : undefined))?.focus();
    } else if (group && target.closest("[data-add]")) {
      this.#put(group);
    } else if (group && target.closest("[data-delete]")) {
      group.remove();
      this.#find("[data-new]").focus();
    } else {
      return;
    }
    this.#mark();
  }

  /** Puts the chosen values into a group, out of those that they are in. */
  #put(group: HTMLElement): void {
    for (const input of this.#chosen) {
      for (const old of this.querySelectorAll<HTMLElement>("[data-grouped] > [data-word]")) if (old.dataset["word"] === input.value) old.remove();
      const value = this.#made("value");
      value.dataset["word"] = input.value;
      (value.querySelector("[data-text]") as HTMLElement).textContent = input.closest("label")?.querySelector(".filter-label")?.textContent ?? "";
      (group.querySelector("[data-grouped]") as HTMLElement).append(value);
      input.checked = false;
    }
  }

  #typed(event: Event): void {
    const input = event.target as HTMLInputElement;
    if (input.matches("[data-search]")) {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => void this.#search(input.value.trim()), typingPause);
    } else if (input.matches("[data-other]")) {
      // Who names the others wants them together.
      this.#find<HTMLInputElement>("input[name=groups-other][value=one]").checked = true;
    }
    this.#mark();
  }

  /** Chosen values stay in the list, whatever the search finds. */
  async #search(term: string): Promise<void> {
    this.#asked?.abort();
    this.#asked = new AbortController();
    const url = new URL(this.dataset["values"] ?? "", location.href);
    url.searchParams.set("q", term);
    try {
      const answer = await fetch(url, { headers: { "HX-Request": "true", "HX-Request-Type": "partial" }, signal: this.#asked.signal });
      if (!answer.ok) return;
      const found = document.createElement("div");
      found.innerHTML = await answer.text();
      const kept = this.#chosen;
      const words = new Set(kept.map((input) => input.value));
      const fresh = [...found.children].filter((each) => !words.has(each.querySelector("input")?.value ?? "\0"));
      this.#find("[data-list]").replaceChildren(...kept.map((input) => input.closest("label") as HTMLElement), ...fresh);
      this.#mark();
    } catch (error) {
      // A newer term took over, or the connection is gone: the list stays.
      if (!(error instanceof DOMException) && !(error instanceof TypeError)) throw error;
    }
  }

  #key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    const list = this.#find("[data-list]");
    if (event.key === "Enter" && target instanceof HTMLInputElement) {
      event.preventDefault();
      if (target.type === "checkbox") target.click();
      else if (target.matches("[data-name]")) this.#find("[data-search]").focus();
      return;
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    if (!list.contains(target) && !target.matches("[data-search]")) return;
    const inputs = [...list.querySelectorAll<HTMLInputElement>("input")];
    const to = inputs.indexOf(target as HTMLInputElement) + (event.key === "ArrowDown" ? 1 : -1);
    event.preventDefault();
    (to < 0 ? this.#find("[data-search]") : inputs[to])?.focus();
  }

  /** What follows from the groups: in which of them a listed value is, and
   * what can be done with those that are chosen. */
  #mark(): void {
    const within = new Map<string, string>();
    for (const group of this.#groups) {
      for (const value of group.querySelectorAll<HTMLElement>("[data-word]")) within.set(value.dataset["word"] ?? "", nameOf(group).value.trim() || "…");
    }
    for (const input of this.#find("[data-list]").querySelectorAll("input")) {
      const tag = input.closest("label")?.querySelector<HTMLElement>("[data-in]");
      const name = within.get(input.value);
      if (!tag) continue;
      tag.hidden = name === undefined;
      tag.textContent = name ?? "";
    }
    const n = this.#chosen.length;
    this.#find("[data-chosen]").textContent = n === 0 ? "" : words("chosen", { n });
    for (const add of this.querySelectorAll<HTMLButtonElement>("[data-add]")) add.disabled = n === 0;
    this.#find("[data-none]").hidden = this.#groups.length > 0;
    this.#find("[data-error]").textContent = "";
  }

  #send(save: HTMLButtonElement): void {
    const groups = this.#groups.map((group) => ({
      name: nameOf(group).value,
      values: [...group.querySelectorAll<HTMLElement>("[data-word]")].map((value) => value.dataset["word"] ?? ""),
    }));
    const together = this.#find<HTMLInputElement>("input[name=groups-other][value=one]").checked;
    const act = JSON.parse(this.dataset["act"] ?? "{}") as Act;
    act["set"] = { groups: { groups, ...(together ? { other: this.#find<HTMLInputElement>("[data-other]").value } : {}) } };
    save.disabled = true;
    const outcome = (refused?: string): void => {
      save.disabled = false;
      if (refused === undefined) this.closest("dialog")?.close();
      else this.#find("[data-error]").textContent = refused;
    };
    document.dispatchEvent(new CustomEvent<Grouped>("df:groups", { detail: { act, outcome } }));
  }
}

function nameOf(group: HTMLElement): HTMLInputElement {
  return group.querySelector("[data-name]") as HTMLInputElement;
}

customElements.define("df-groups", Groups);
