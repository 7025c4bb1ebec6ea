// The keyboard of the editor (DESIGN.md, 11 and 12): a widget is picked up with
// Enter, moved with the arrows, resized with Shift and arrows, dropped with
// Enter, put back with Escape. Without being picked up, the arrows nudge what
// is selected. F6 goes from part to part of the page (head, palette, filters,
// canvas, inspector), Shift F6 back: dozens of stops of the Tab key lie between them.
import { announce, isTyping } from "../page.ts";
import { copyText, mostPasted, readPasted } from "./clipboard.ts";
import type { Desk } from "./desk.ts";
import { get, isObject, type JsonObject, type Layout, pointer, widgets } from "./document.ts";
import { arrange, type Layouts, leastSize, letGo, lockedOf, readingOrder } from "./layout.ts";
import { toast } from "../toast.ts";
import { widgetOf } from "./selection.ts";
import { words } from "./words.ts";

const arrows: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The parts that F6 goes through, in order. */
const parts = ["#page-head", "#palette", ".canvas-bar", "df-grid", "#inspector"];

function partOf(target: EventTarget | null): string | undefined {
  return target instanceof Element ? parts.find((part) => target.closest(part)) : undefined;
}

export class Keys {
  readonly #desk: Desk;
  /** Draws places that are not decided yet. */
  readonly #preview: (layouts: Layouts | null) => void;
  /** Takes pasted files, where it can. */
  readonly #files: (files: File[]) => boolean;
  #picked: { id: string; from: Layouts; now: Layouts; at: Layout; seen: number } | undefined;
  /** What had the focus last, by part. */
  readonly #left = new Map<string, HTMLElement>();

  constructor(desk: Desk, preview: (layouts: Layouts | null) => void, files: (files: File[]) => boolean) {
    this.#desk = desk;
    this.#preview = preview;
    this.#files = files;
    const { signal } = desk;
    // Before the shortcuts of the shell: what is done here is done.
    document.addEventListener("keydown", (event) => this.#key(event), { signal, capture: true });
    document.addEventListener("focusin", (event) => {
      const part = partOf(event.target);
      if (part !== undefined) this.#left.set(part, event.target as HTMLElement);
    }, { signal });
    document.addEventListener("copy", (event) => this.#copy(event, false), { signal });
    document.addEventListener("cut", (event) => this.#copy(event, true), { signal });
    document.addEventListener("paste", (event) => this.#paste(event), { signal });
    desk.grid.addEventListener("focusout", () => queueMicrotask(() => {
      if (this.#picked && widgetOf(document.activeElement) !== this.#picked.id) this.#drop();
    }), { signal });
  }

  get busy(): boolean {
    return this.#picked !== undefined;
  }

  pick(id: string): void {
    const { grid, selection } = this.#desk;
    const title = this.#desk.titleOf(id);
    if (lockedOf(this.#desk.doc).has(id)) {
      announce(words("locked", { title }), true);
      return;
    }
    const from = this.#desk.layouts();
    const at = from.get(id);
    if (!at) return;
    selection.set([id]);
    this.#picked = { id, from, now: from, at, seen: this.#desk.sync.rev };
    grid.item(id)?.setAttribute("data-picked", "");
    grid.item(id)?.focus();
    announce(`${words("picked", { title })} ${this.#where(id, at)}`, true);
  }

  #where(id: string, at: Layout): string {
    return words("place", { title: this.#desk.titleOf(id), column: at.x + 1, row: at.y + 1, w: at.w, h: at.h });
  }

  #drop(): void {
    const picked = this.#picked;
    if (!picked) return;
    this.#picked = undefined;
    this.#desk.grid.item(picked.id)?.removeAttribute("data-picked");
    this.#preview(null);
    const { doc, grid } = this.#desk;
    this.#desk.place(letGo(picked.id, picked.from, picked.now, this.#desk.layouts(), lockedOf(doc), grid.columns), [picked.id], picked.seen);
    announce(`${words("dropped", { title: this.#desk.titleOf(picked.id) })} ${this.#where(picked.id, picked.at)}`, true);
  }

  #putBack(): void {
    const picked = this.#picked;
    if (!picked) return;
    this.#picked = undefined;
    this.#desk.grid.item(picked.id)?.removeAttribute("data-picked");
    this.#preview(null);
    announce(words("put_back", { title: this.#desk.titleOf(picked.id) }), true);
  }

  #step(dx: number, dy: number, resize: boolean): void {
    const picked = this.#picked;
    if (!picked) return;
    const { id, at, from } = picked;
    const next = resize ? { ...at, w: at.w + dx, h: at.h + dy } : { ...at, x: at.x + dx, y: at.y + dy };
    const { columns } = this.#desk.grid;
    // From where all stood at first: what was pushed away comes back.
    const layouts = resize && this.#small(id, at, next) ? null : arrange(from, new Map([[id, next]]), lockedOf(this.#desk.doc), columns);
    if (!layouts) {
      announce(words("blocked"), true);
      return;
    }
    picked.at = next;
    picked.now = layouts;
    this.#preview(layouts);
    announce(this.#where(id, next), true);
    this.#desk.grid.item(id)?.scrollIntoView({ block: "nearest" });
  }

  /** Tells whether a size is below the least of a widget, and not one that it has
   * already. */
  #small(id: string, at: Layout, next: Layout): boolean {
    const least = leastSize(String(get(this.#desk.doc, pointer("widgets", id, "type")) ?? ""));
    return next.w < Math.min(least.w, this.#desk.grid.columns, at.w) || next.h < Math.min(least.h, at.h);
  }

  #nudge(dx: number, dy: number, resize: boolean): void {
    const { selection, doc, grid } = this.#desk;
    const now = this.#desk.layouts();
    const locked = lockedOf(doc);
    const moves: Layouts = new Map();
    for (const id of selection.ids) {
      const at = now.get(id);
      if (!at || locked.has(id)) continue;
      const next = resize ? { ...at, w: at.w + dx, h: at.h + dy } : { ...at, x: at.x + dx, y: at.y + dy };
      if (!resize || !this.#small(id, at, next)) moves.set(id, next);
    }
    const layouts = moves.size > 0 ? arrange(now, moves, locked, grid.columns) : null;
    if (!layouts) {
      announce(words("blocked"), true);
      return;
    }
    this.#desk.place(layouts, selection.ids);
    const first = selection.first;
    const at = first === undefined ? undefined : layouts.get(first);
    if (first !== undefined && at) announce(this.#where(first, at), true);
  }

  /** Goes to another part of the page: to what had the focus there last, to
   * what is selected, or to its first stop. */
  #go(by: number): void {
    const now = partOf(document.activeElement);
    const at = now === undefined ? (by > 0 ? -1 : 0) : parts.indexOf(now);
    for (let i = 1; i <= parts.length; i++) {
      const part = parts[(at + by * i + 2 * parts.length) % parts.length] as string;
      const place = document.querySelector<HTMLElement>(part);
      if (!place || place.offsetParent === null) continue;
      const { selection, grid } = this.#desk;
      const left = this.#left.get(part);
      const first = part === "df-grid" && selection.first !== undefined ? grid.item(selection.first)
        : left?.isConnected && left.offsetParent !== null ? left
        : [...place.querySelectorAll<HTMLElement>("[aria-selected=true], .grid-stack-item, button, input, select, a[href]")].find((each) => each.tabIndex >= 0 && each.offsetParent !== null);
      (first ?? place).focus();
      if (partOf(document.activeElement) === part) return;
    }
  }

  #key(event: KeyboardEvent): void {
    const desk = this.#desk;
    const { selection, grid } = desk;
    const target = event.target as HTMLElement;
    const handled = (): void => {
      event.preventDefault();
      event.stopPropagation();
    };
    const command = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "F6" && !command && !event.altKey) {
      handled();
      this.#go(event.shiftKey ? -1 : 1);
      return;
    }
    // Typing has its own undo, except that saving and history stay the page's.
    if (command && key === "s" && !event.shiftKey && !event.altKey) {
      handled();
      desk.nameVersion();
      return;
    }
    if (desk.root.hasAttribute("preview")) {
      if (isTyping(target) || command || event.altKey || (event.key !== "Escape" && key !== "e") || document.querySelector("[popover]:popover-open")) return;
      handled();
      document.querySelector<HTMLElement>("[data-edit=preview]")?.click();
      return;
    }
    if (isTyping(target) && !(target instanceof HTMLInputElement && ["checkbox", "radio", "button"].includes(target.type))) return;
    if (command && !event.altKey) {
      if (key === "z" || key === "y") {
        handled();
        if (key === "y" || event.shiftKey) desk.redo();
        else desk.undo();
      } else if (key === "d" && this.#meant(target).length > 0) {
        handled();
        desk.act({ kind: "duplicate", widgets: [...this.#meant(target)] });
      } else if (key === "a" && !event.shiftKey) {
        handled();
        selection.set(readingOrder(desk.layouts()));
      }
      return;
    }
    if (document.querySelector("[popover]:popover-open") || event.altKey) return;
    const own = target.matches(".grid-stack-item") ? target.getAttribute("gs-id") : null;
    if (this.#picked) {
      const step = arrows[event.key];
      if (step) this.#step(step[0], step[1], event.shiftKey);
      else if (event.key === "Enter" || event.key === " ") this.#drop();
      else if (event.key === "Escape") this.#putBack();
      else return;
      handled();
      return;
    }
    if (own !== null && (event.key === "Enter" || event.key === " ")) {
      handled();
      if (event.shiftKey || event.key === " ") selection.toggle(own);
      else this.pick(own);
      return;
    }
    const onCanvas = own !== null || target === document.body || target.matches("#main, #canvas, df-grid");
    const step = arrows[event.key];
    const meant = this.#meant(target);
    if (step && onCanvas && meant.length > 0) {
      handled();
      selection.set(meant);
      this.#nudge(step[0], step[1], event.shiftKey);
    } else if ((event.key === "Delete" || event.key === "Backspace") && meant.length > 0 && (onCanvas || grid.contains(target))) {
      handled();
      desk.removeWidgets(meant);
    } else if (event.key === "Escape" && selection.ids.length > 0 && !grid.busy) {
      handled();
      const last = selection.first;
      selection.set([]);
      // What goes with the selection leaves the focus on the canvas.
      if (last !== undefined && target.closest("#inspector")) grid.item(last)?.focus();
    } else if ((event.key === "[" || event.key === "]") && document.body.dataset["keys"] === "on") {
      const order = readingOrder(desk.layouts());
      const at = order.indexOf(widgetOf(target) ?? selection.first ?? "");
      const next = order[event.key === "]" ? Math.min(at + 1, order.length - 1) : at < 0 ? order.length - 1 : Math.max(0, at - 1)];
      if (next === undefined) return;
      handled();
      grid.item(next)?.focus();
      grid.item(next)?.scrollIntoView({ block: "nearest" });
    } else if (key === "e" && !event.shiftKey && document.body.dataset["keys"] === "on") {
      const preview = document.querySelector<HTMLElement>("[data-edit=preview]");
      if (!preview) return;
      handled();
      preview.click();
    }
  }

  /** The widgets that a key is about: those that are selected, but the one that the
   * keyboard stands on where that is another than the only one selected. */
  #meant(target: Element): readonly string[] {
    const { selection, grid } = this.#desk;
    const own = grid.contains(target) && target.matches(":focus-visible") ? widgetOf(target) : undefined;
    return selection.ids.length > 1 || own === undefined ? selection.ids : [own];
  }

  #applies(event: ClipboardEvent): boolean {
    return !isTyping(event.target) && !this.#desk.root.hasAttribute("preview") && document.getSelection()?.type !== "Range" && !document.querySelector("dialog[open]");
  }

  #copy(event: ClipboardEvent, cut: boolean): void {
    const { doc } = this.#desk;
    const ids = document.activeElement ? this.#meant(document.activeElement) : [];
    const [first] = ids;
    if (!this.#applies(event) || first === undefined) return;
    const all = widgets(doc);
    const main = typeof doc["dataset"] === "string" ? doc["dataset"] : undefined;
    const chosen = ids.flatMap((id) => {
      const widget = all.get(id);
      return widget ? [withDataset(widget, main)] : [];
    });
    const filters: JsonObject = {};
    for (const { control } of chosen) {
      const filter = typeof control === "string" ? get(doc, pointer("filters", control)) : undefined;
      if (isObject(filter)) filters[control as string] = main === undefined || filter["dataset"] !== undefined ? filter : { ...filter, dataset: main };
    }
    event.clipboardData?.setData("text/plain", copyText({ widgets: chosen, filters }));
    event.preventDefault();
    announce(words("copied", { n: chosen.length, title: this.#desk.titleOf(first) }), true);
    if (cut) this.#desk.removeWidgets(ids);
  }

  #paste(event: ClipboardEvent): void {
    if (!this.#applies(event)) return;
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (text === "") {
      if (this.#files([...(event.clipboardData?.files ?? [])])) event.preventDefault();
      return;
    }
    event.preventDefault();
    const pasted = readPasted(text);
    if (pasted === "invalid") toast(words("paste_invalid"), "neg");
    else if (pasted === "large") toast(words("paste_large"), "neg");
    else if (pasted === "many") toast(words("paste_many", { n: mostPasted }), "neg");
    else this.#desk.act({ kind: "paste", ...pasted });
  }
}

/** A copied widget names its dataset itself: another dashboard has another. */
function withDataset(widget: JsonObject, dataset: string | undefined): JsonObject {
  const query = widget["query"];
  if (dataset === undefined || !isObject(query) || query["dataset"] !== undefined) return widget;
  return { ...widget, query: { ...query, dataset } };
}
