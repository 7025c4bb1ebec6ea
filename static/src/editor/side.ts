// The panel beside the canvas: types of widgets and fields to add, by Enter
// where not by dragging, and the layers, in reading order.
import htmx from "htmx.org";
import type { Desk } from "./desk.ts";
import { get, isObject, type Json, pointer } from "./document.ts";
import { readingOrder } from "./layout.ts";
import type { Act } from "./sync.ts";
import { words } from "./words.ts";

const typingPause = 120;

export class Side {
  readonly #desk: Desk;
  #asked: AbortController | undefined;
  #timer = 0;

  constructor(desk: Desk) {
    this.#desk = desk;
    const { root, signal } = desk;
    const side = document.getElementById("palette");
    side?.addEventListener("click", (event) => this.#click(event), { signal });
    side?.addEventListener("keydown", (event) => this.#key(event), { signal });
    side?.addEventListener("dblclick", (event) => {
      const id = layerOf(event.target);
      if (id) this.#rename(id);
    }, { signal });
    root.addEventListener("input", (event) => {
      if (!(event.target instanceof HTMLElement) || !event.target.matches("[data-field-search]")) return;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#fields(), typingPause);
    }, { signal });
    root.addEventListener("change", (event) => {
      if (event.target instanceof HTMLElement && event.target.matches("[data-field-dataset]")) void this.#fields();
    }, { signal });
    // The page of a dataset, where fields are made, opens beside this one: what
    // was made there is here on return.
    let made = false;
    root.addEventListener("click", (event) => {
      if (event.target instanceof Element && event.target.closest("[data-new-field]")) made = true;
    }, { signal });
    const back = (): void => {
      if (made && document.visibilityState === "visible") void this.#fields();
    };
    document.addEventListener("visibilitychange", back, { signal });
    addEventListener("focus", back, { signal });
    side?.addEventListener("toggle", (event) => {
      if (event.target instanceof HTMLDetailsElement && event.target.open) event.target.scrollIntoView({ block: "nearest" });
    }, { signal, capture: true });
    signal.addEventListener("abort", () => {
      clearTimeout(this.#timer);
      this.#asked?.abort();
    });
  }

  async #fields(): Promise<void> {
    const { root, path } = this.#desk;
    const target = document.getElementById("fields");
    if (!target) return;
    const q = root.querySelector<HTMLInputElement>("[data-field-search]")?.value.trim() ?? "";
    const dataset = root.querySelector<HTMLSelectElement>("[data-field-dataset]")?.value ?? "";
    this.#asked?.abort();
    const asked = new AbortController();
    this.#asked = asked;
    try {
      const answer = await fetch(`${path}/edit/fields?${new URLSearchParams({ dataset, q }).toString()}`, { headers: { "HX-Request": "true", "HX-Request-Type": "partial" }, signal: asked.signal });
      if (!answer.ok) return;
      const text = await answer.text();
      if (!asked.signal.aborted) await htmx.swap({ text, target, sourceElement: target, swap: "innerMorph" });
    } catch (error) {
      // A newer search took over, or the connection is gone: the list stays.
      if (!(error instanceof DOMException) && !(error instanceof TypeError)) throw error;
    }
  }

  #click(event: MouseEvent): void {
    const target = event.target as Element;
    const tab = target.closest<HTMLElement>("[data-palette-tab]");
    if (tab) {
      this.#open(tab);
      return;
    }
    // The second click of a double one adds nothing more.
    const once = event.detail <= 1;
    const type = target.closest<HTMLElement>("[data-palette-type]")?.dataset["paletteType"];
    if (type) {
      if (once) this.#add(event, { kind: "add_widget", type });
      return;
    }
    const field = target.closest<HTMLElement>("[data-field]");
    if (field) {
      const { dataset } = field.dataset;
      if (once) this.#add(event, { kind: "add_field", field: field.dataset["field"] ?? "", ...(dataset ? { dataset } : {}) });
      return;
    }
    const id = layerOf(target);
    if (!id) return;
    if (target.closest("[data-layer-lock]")) {
      const locked = get(this.#desk.doc, pointer("widgets", id, "locked")) === true;
      this.#desk.set(id, "/locked", locked ? undefined : true);
    } else if (!target.closest("input")) {
      if (event.shiftKey || event.ctrlKey || event.metaKey) this.#desk.selection.toggle(id);
      else this.#desk.selection.set([id]);
      this.#desk.grid.item(id)?.scrollIntoView({ block: "nearest" });
    }
  }

  /** Whoever adds by pointer goes on with what was added; by the keyboard, with
   * the palette. */
  #add(event: MouseEvent, act: Act): void {
    if (event.detail > 0) this.#desk.grid.focus({ preventScroll: true });
    this.#desk.act(act);
  }

  #open(tab: HTMLElement): void {
    for (const each of document.querySelectorAll<HTMLElement>("[data-palette-tab]")) {
      const on = each === tab;
      each.setAttribute("aria-selected", String(on));
      each.tabIndex = on ? 0 : -1;
      const panel = document.getElementById(each.getAttribute("aria-controls") ?? `palette-${each.dataset["paletteTab"] ?? ""}`);
      if (panel) panel.hidden = !on;
    }
  }

  #key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    const tab = target.closest<HTMLElement>("[data-palette-tab]");
    if (tab && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      const other = [...document.querySelectorAll<HTMLElement>("[data-palette-tab]")].find((each) => each !== tab);
      event.preventDefault();
      if (other) this.#open(other);
      other?.focus();
      return;
    }
    const id = layerOf(target);
    if (!id || target.matches("input")) return;
    const rows = [...document.querySelectorAll<HTMLElement>("#layers [data-layer]")];
    const at = rows.findIndex((row) => row.closest("li")?.contains(target));
    if (event.key === "F2") {
      event.preventDefault();
      this.#rename(id);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      rows[at + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    } else if (event.key === "Delete") {
      event.preventDefault();
      event.stopPropagation();
      this.#desk.removeWidgets([id]);
    }
  }

  /** The list of layers as it is now. */
  layers(): void {
    const list = document.getElementById("layers");
    const template = document.getElementById("layer-row");
    const row = template instanceof HTMLTemplateElement ? template.content.firstElementChild : null;
    if (!list || !row || list.querySelector("input:focus")) return;
    const { doc, selection } = this.#desk;
    const had = layerOf(document.activeElement);
    const rows = new Map([...list.children].map((each) => [(each as HTMLElement).dataset["layerRow"] ?? "", each]));
    const shown = readingOrder(this.#desk.layouts()).map((id) => {
      const item = (rows.get(id) ?? document.importNode(row, true)) as HTMLElement;
      item.dataset["layerRow"] = id;
      const title = this.#desk.titleOf(id);
      const locked = get(doc, pointer("widgets", id, "locked")) === true;
      const button = item.querySelector<HTMLElement>("[data-layer]");
      const name = item.querySelector("[data-layer-name]");
      const lock = item.querySelector<HTMLElement>("[data-layer-lock]");
      if (button) {
        button.dataset["layer"] = id;
        button.setAttribute("aria-current", String(selection.has(id)));
      }
      if (name) name.textContent = title;
      const kind = kindOf(get(doc, pointer("widgets", id)));
      const icon = item.querySelector("[data-layer] > .icon");
      const note = item.querySelector("[data-layer-type]");
      if (kind && icon && item.dataset["kind"] !== kind.dataset["paletteType"]) {
        item.dataset["kind"] = kind.dataset["paletteType"] ?? "";
        icon.replaceChildren(...[...(kind.querySelector(".icon")?.childNodes ?? [])].map((each) => each.cloneNode(true)));
        if (note) note.textContent = kind.textContent.trim();
      }
      lock?.setAttribute("aria-pressed", String(locked));
      lock?.setAttribute("aria-label", words(locked ? "unlock" : "lock", { title }));
      return item;
    });
    list.replaceChildren(...shown);
    if (had && document.activeElement === document.body) list.querySelector<HTMLElement>(`[data-layer="${CSS.escape(had)}"]`)?.focus();
  }

  #rename(id: string): void {
    const row = document.querySelector<HTMLElement>(`#layers [data-layer-row="${CSS.escape(id)}"]`);
    const button = row?.querySelector<HTMLElement>("[data-layer]");
    if (!row || !button || row.querySelector("input")) return;
    const input = document.createElement("input");
    input.className = "input input-sm";
    input.value = this.#desk.titleOf(id);
    input.maxLength = 200;
    input.setAttribute("aria-label", words("rename"));
    button.hidden = true;
    button.after(input);
    input.select();
    input.focus();
    let done = false;
    const end = (keep: boolean): void => {
      if (done) return;
      done = true;
      input.remove();
      button.hidden = false;
      if (keep) this.#desk.set(id, "/title", input.value.trim() || undefined);
      this.layers();
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      end(event.key === "Enter");
      button.focus();
    });
    input.addEventListener("blur", () => end(true));
  }
}

/** The button of the palette that makes widgets like this one. */
function kindOf(widget: Json | undefined): HTMLElement | null {
  if (!isObject(widget)) return null;
  const type = widget["forecast"] ? "forecast" : widget["type"];
  const button = (name: Json | undefined): HTMLElement | null => (typeof name === "string" ? document.querySelector<HTMLElement>(`[data-palette-type="${CSS.escape(name)}"]`) : null);
  return button(type) ?? button(widget["type"]);
}

function layerOf(target: EventTarget | null): string | undefined {
  return target instanceof Element ? target.closest<HTMLElement>("[data-layer-row]")?.dataset["layerRow"] : undefined;
}
