// The tabs of a dashboard in the editor: a row above the canvas to switch, add,
// rename, order and remove them, by mouse and by keyboard (arrows, F2, Ctrl and
// arrows, Delete). Widgets are carried to a tab by their head, or by the choice
// in the inspector. A dashboard without tabs has no row; its first tab takes
// all that is there.
import { announce } from "../page.ts";
import type { Desk } from "./desk.ts";
import { get, pointer, setting } from "./document.ts";
import { addTab, mostTabs, moveTab, removeTab, tabOrder } from "./tabset.ts";
import { words } from "./words.ts";

function newID(): string {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => "abcdefghijklmnopqrstuvwxyz234567"[byte & 31]).join("");
}

const hoverPause = 450;

export class Tabs {
  readonly #desk: Desk;
  readonly #shown: () => void;
  #current: string;
  /** The tab that something is carried over. */
  #over: string | undefined;
  #carried: string | undefined;
  #timer = 0;

  /** shown is called after another tab was opened. */
  constructor(desk: Desk, shown: () => void) {
    this.#desk = desk;
    this.#shown = shown;
    this.#current = new URLSearchParams(location.search).get("t") ?? "";
    const { signal, grid } = desk;
    const bar = document.getElementById("canvas-tabs");
    document.addEventListener("click", (event) => this.#click(event), { signal });
    bar?.addEventListener("keydown", (event) => this.#key(event), { signal });
    bar?.addEventListener("dblclick", (event) => {
      const tab = tabAt(event.target);
      if (tab) this.rename(tab);
    }, { signal });
    grid.addEventListener("df:grid-start", () => document.addEventListener("pointermove", this.#move, { signal }), { signal });
    // Types and fields open the tab that they rest over; tabs themselves move.
    bar?.addEventListener("dragstart", (event) => {
      this.#carried = tabAt(event.target);
      event.dataTransfer?.setData("application/x-dataflow-tab", this.#carried ?? "");
    }, { signal });
    bar?.addEventListener("dragover", (event) => {
      const tab = tabAt(event.target);
      if (!tab) return;
      if (this.#carried !== undefined) event.preventDefault();
      if (tab === this.#over) return;
      this.#mark(tab);
      clearTimeout(this.#timer);
      if (this.#carried === undefined) this.#timer = setTimeout(() => this.open(tab), hoverPause);
    }, { signal });
    bar?.addEventListener("dragleave", () => {
      clearTimeout(this.#timer);
      this.#mark(undefined);
    }, { signal });
    bar?.addEventListener("drop", (event) => {
      const [from, to] = [this.#carried, tabAt(event.target)];
      if (from === undefined || to === undefined) return;
      event.preventDefault();
      desk.edit(moveTab(desk.doc, from, tabOrder(desk.doc).indexOf(to)));
    }, { signal });
    bar?.addEventListener("dragend", () => {
      this.#carried = undefined;
      this.#mark(undefined);
    }, { signal });
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** The tab that the canvas shows; undefined where the dashboard has none. */
  get current(): string | undefined {
    const order = tabOrder(this.#desk.doc);
    return order.includes(this.#current) ? this.#current : order[0];
  }

  /** The tab that a pointer let go of a widget over, if there is one. */
  letGo(): string | undefined {
    document.removeEventListener("pointermove", this.#move);
    const tab = this.#over;
    this.#mark(undefined);
    return tab === this.current ? undefined : tab;
  }

  readonly #move = (event: PointerEvent): void => {
    const hit = document.elementsFromPoint(event.clientX, event.clientY).map(tabAt).find((each) => each !== undefined);
    this.#mark(hit);
  };

  #mark(tab: string | undefined): void {
    this.#over = tab;
    for (const each of document.querySelectorAll<HTMLElement>("#canvas-tabs [data-tab]")) each.toggleAttribute("data-over", each.dataset["tab"] === tab);
  }

  open(tab: string): void {
    if (tab === this.current) return;
    this.#current = tab;
    const query = new URLSearchParams(location.search);
    query.set("t", tab);
    history.replaceState(history.state, "", `?${query.toString()}`);
    this.#shown();
    announce(words("tab_open", { title: this.#title(tab) }), true);
  }

  #title(tab: string): string {
    const title = get(this.#desk.doc, pointer("tabs", tab, "title"));
    return typeof title === "string" ? title : words("untitled");
  }

  add(): void {
    const added = addTab(this.#desk.doc, (n) => words("tab_new", { n }), newID);
    if (!added) {
      announce(words("tab_most", { n: mostTabs }), true);
      return;
    }
    this.#desk.edit(added.operations);
    this.open(added.tab);
    this.rename(added.tab);
  }

  remove(tab: string): void {
    const { doc } = this.#desk;
    const operations = removeTab(doc, tab);
    const n = operations.length - 1;
    const order = tabOrder(doc);
    const next = order[order.indexOf(tab) + 1] ?? order[order.indexOf(tab) - 1];
    const title = this.#title(tab);
    if (tab === this.current && next !== undefined) this.open(next);
    this.#desk.edit(operations);
    this.#desk.undoable(n > 0 ? words("tab_removed_with", { title, n }) : words("tab_removed", { title }));
    if (next !== undefined) this.#button(next)?.focus();
  }

  #button(tab: string): HTMLElement | null {
    return document.querySelector<HTMLElement>(`#canvas-tabs [data-tab="${CSS.escape(tab)}"]`);
  }

  /** The row as the document has it. */
  draw(): void {
    const bar = document.getElementById("canvas-tabs");
    const list = bar?.querySelector("[role=tablist]");
    if (!bar || !list) return;
    const { doc } = this.#desk;
    const order = tabOrder(doc);
    bar.hidden = order.length === 0;
    bar.parentElement?.toggleAttribute("data-tabs", !bar.hidden);
    if (list.querySelector("input")) return;
    const had = tabAt(document.activeElement);
    const { current } = this;
    const buttons = new Map([...list.querySelectorAll<HTMLElement>("[data-tab]")].map((each) => [each.dataset["tab"], each]));
    list.replaceChildren(...order.map((id) => {
      let button = buttons.get(id);
      if (!button) {
        button = document.createElement("button");
        button.className = "tab-link";
        button.dataset["tab"] = id;
        button.draggable = true;
        button.setAttribute("type", "button");
        button.setAttribute("role", "tab");
        button.setAttribute("aria-controls", "dash");
      }
      button.textContent = this.#title(id);
      button.setAttribute("aria-selected", String(id === current));
      button.tabIndex = id === current ? 0 : -1;
      return button;
    }));
    if (had !== undefined && document.activeElement === document.body) this.#button(had)?.focus();
  }

  rename(tab: string): void {
    const button = this.#button(tab);
    if (!button || button.parentElement?.querySelector("input")) return;
    const input = document.createElement("input");
    input.className = "input input-sm tab-name";
    input.value = this.#title(tab);
    input.maxLength = 60;
    input.setAttribute("aria-label", words("tab_name"));
    button.hidden = true;
    button.after(input);
    input.select();
    input.focus();
    let done = false;
    const end = (keep: boolean): void => {
      if (done) return;
      done = true;
      const title = input.value.trim();
      button.hidden = false;
      const focused = document.activeElement === input;
      input.remove();
      if (keep && title !== "") this.#desk.edit([setting(this.#desk.doc, pointer("tabs", tab, "title"), title)]);
      this.draw();
      if (focused) this.#button(tab)?.focus();
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      end(event.key === "Enter");
    });
    input.addEventListener("blur", () => end(true));
  }

  #click(event: MouseEvent): void {
    const target = event.target instanceof Element ? event.target : null;
    if (target?.closest("[data-tab-add]")) {
      this.add();
      return;
    }
    const what = target?.closest<HTMLElement>("[data-tab-do]")?.dataset["tabDo"];
    const { current } = this;
    if (what !== undefined && current !== undefined) this.#do(what, current);
    const tab = tabAt(target);
    if (tab !== undefined && !target?.closest("input")) this.open(tab);
  }

  #do(what: string, tab: string): void {
    const at = tabOrder(this.#desk.doc).indexOf(tab);
    switch (what) {
      case "rename":
        // Not before the menu has given the focus back.
        setTimeout(() => this.rename(tab));
        return;
      case "left":
        this.#shift(tab, at - 1);
        return;
      case "right":
        this.#shift(tab, at + 1);
        return;
      case "delete":
        this.remove(tab);
        return;
    }
  }

  #shift(tab: string, to: number): void {
    this.#desk.edit(moveTab(this.#desk.doc, tab, to));
    const order = tabOrder(this.#desk.doc);
    announce(words("tab_place", { title: this.#title(tab), n: order.indexOf(tab) + 1, of: order.length }), true);
  }

  #key(event: KeyboardEvent): void {
    const tab = tabAt(event.target);
    if (tab === undefined || event.altKey) return;
    const order = tabOrder(this.#desk.doc);
    const at = order.indexOf(tab);
    const by = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    if (by !== 0 && (event.ctrlKey || event.metaKey)) {
      this.#shift(tab, at + by);
      this.#button(tab)?.focus();
    } else if (by !== 0) {
      const next = order[at + by];
      if (next === undefined) return;
      this.open(next);
      this.#button(next)?.focus();
    } else if (event.key === "F2") this.rename(tab);
    else if (event.key === "Delete") this.remove(tab);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function tabAt(target: EventTarget | null): string | undefined {
  return target instanceof Element ? target.closest<HTMLElement>("#canvas-tabs [data-tab]")?.dataset["tab"] : undefined;
}
