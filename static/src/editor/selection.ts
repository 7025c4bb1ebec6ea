// What is selected on the canvas: by click, with Shift more, by a frame drawn
// on the empty canvas. The first of several is the one that the inspector shows.
import { announce } from "../page.ts";
import type { Desk } from "./desk.ts";
import { words } from "./words.ts";

export class Selection {
  #ids: string[] = [];
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get ids(): readonly string[] {
    return this.#ids;
  }
  get first(): string | undefined {
    return this.#ids[0];
  }
  has(id: string): boolean {
    return this.#ids.includes(id);
  }

  set(ids: readonly string[]): void {
    const next = [...new Set(ids)];
    if (next.length === this.#ids.length && next.every((id, i) => id === this.#ids[i])) return;
    this.#ids = next;
    this.#changed();
  }

  toggle(id: string): void {
    this.set(this.has(id) ? this.#ids.filter((each) => each !== id) : [...this.#ids, id]);
  }

  /** Forgets what is no longer there. */
  keep(exists: (id: string) => boolean): void {
    this.set(this.#ids.filter(exists));
  }
}

/** The widget whose tile an event happened in. */
export function widgetOf(target: EventTarget | null): string | undefined {
  const item = target instanceof Element ? target.closest(".grid-stack-item[gs-id]") : null;
  return item?.getAttribute("gs-id") ?? undefined;
}

/** What filters the page, or asks about a value, where it is clicked. */
const marks = ".w-body :is(df-chart, df-map, [data-mark], [data-value-menu])";

/** The canvas answers to clicks and draws a frame. */
export function selectByPointer(desk: Desk, canvas: HTMLElement): void {
  const { selection, grid, signal } = desk;
  // The click that ends a drag or a frame selects nothing.
  let dragged = false;
  canvas.addEventListener("click", (event) => {
    if (dragged) {
      dragged = false;
      return;
    }
    const target = event.target as Element;
    if (desk.root.hasAttribute("preview")) return;
    if (target.closest(".canvas-tools, .canvas-bar, [popover], dialog")) return;
    const id = widgetOf(target);
    if (!id) {
      if (!event.shiftKey) selection.set([]);
    } else if (event.shiftKey || event.ctrlKey || event.metaKey) {
      selection.toggle(id);
    } else {
      selection.set([id]);
      if (!(document.activeElement && grid.item(id)?.contains(document.activeElement))) grid.item(id)?.focus({ preventScroll: true });
    }
  }, { signal });
  // The first press on a widget selects it. Only then is one on a mark meant for
  // the mark. The keyboard reaches marks by themselves.
  let chosen: string | undefined;
  canvas.addEventListener("pointerdown", (event) => {
    const id = widgetOf(event.target);
    chosen = desk.root.hasAttribute("preview") || (selection.first === id && selection.ids.length === 1) ? undefined : id;
  }, { signal, capture: true });
  canvas.addEventListener("keydown", () => (chosen = undefined), { signal, capture: true });
  canvas.addEventListener("df:select", (event) => {
    if (chosen !== undefined && widgetOf(event.target) === chosen) event.stopPropagation();
  }, { signal });
  canvas.addEventListener("click", (event) => {
    const target = event.target as Element;
    if (chosen === undefined || dragged || widgetOf(target) !== chosen || !target.closest(marks)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.shiftKey || event.ctrlKey || event.metaKey) selection.toggle(chosen);
    else selection.set([chosen]);
    grid.item(chosen)?.focus({ preventScroll: true });
  }, { signal, capture: true });
  grid.addEventListener("df:grid-start", (event) => {
    dragged = true;
    const { id } = (event as CustomEvent<{ id: string }>).detail;
    if (!selection.has(id)) selection.set([id]);
  }, { signal });
  // A click may not follow: then the next pointer that goes down is a new one.
  canvas.addEventListener("pointerdown", () => (dragged = false), { signal, capture: true });

  canvas.addEventListener("pointerdown", (down) => {
    const target = down.target as Element;
    if (down.button !== 0 || desk.root.hasAttribute("preview") || target.closest(".grid-stack-item, .canvas-bar, button, a, input, [popover]")) return;
    const box = document.createElement("div");
    box.className = "canvas-frame";
    const origin = canvas.getBoundingClientRect();
    const from = { x: down.clientX - origin.left + canvas.scrollLeft, y: down.clientY - origin.top + canvas.scrollTop };
    const before = down.shiftKey ? [...selection.ids] : [];
    const ended = new AbortController();
    const over = (): void => {
      ended.abort();
      box.remove();
    };
    document.addEventListener("pointermove", (move) => {
      const now = canvas.getBoundingClientRect();
      const to = { x: move.clientX - now.left + canvas.scrollLeft, y: move.clientY - now.top + canvas.scrollTop };
      if (!box.isConnected && Math.abs(to.x - from.x) + Math.abs(to.y - from.y) < 5) return;
      if (!box.isConnected) canvas.append(box);
      dragged = true;
      const [left, top] = [Math.min(from.x, to.x), Math.min(from.y, to.y)];
      Object.assign(box.style, { left: `${String(left)}px`, top: `${String(top)}px`, width: `${String(Math.abs(to.x - from.x))}px`, height: `${String(Math.abs(to.y - from.y))}px` });
      const frame = box.getBoundingClientRect();
      const hit = [...grid.querySelectorAll<HTMLElement>(":scope > .grid-stack-item")].filter((item) => {
        const at = item.getBoundingClientRect();
        return at.left < frame.right && frame.left < at.right && at.top < frame.bottom && frame.top < at.bottom;
      });
      selection.set([...before, ...hit.map((item) => item.getAttribute("gs-id") ?? "")]);
    }, { signal: ended.signal });
    document.addEventListener("pointerup", over, { signal: ended.signal });
    document.addEventListener("pointercancel", over, { signal: ended.signal });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      selection.set(before);
      over();
    }, { signal: ended.signal });
    signal.addEventListener("abort", over, { signal: ended.signal });
  }, { signal });
}

/** Marks the selected tiles and puts the toolbar on the first of them. */
export class Marks {
  readonly #desk: Desk;
  #tools: HTMLElement | undefined;
  /** What the toolbar goes along, so that it stays below the filter bar. */
  readonly #rail = document.createElement("div");

  constructor(desk: Desk) {
    this.#desk = desk;
    this.#rail.className = "canvas-rail";
    const bar = document.querySelector<HTMLElement>(".canvas-bar");
    if (!bar) return;
    const sized = new ResizeObserver(() => bar.parentElement?.style.setProperty("--bar", `${String(bar.offsetHeight)}px`));
    sized.observe(bar);
    desk.signal.addEventListener("abort", () => sized.disconnect());
  }

  show(): void {
    const { root, grid, selection } = this.#desk;
    root.toggleAttribute("data-selecting", selection.first !== undefined);
    for (const item of grid.querySelectorAll<HTMLElement>(":scope > .grid-stack-item")) {
      const chosen = selection.has(item.getAttribute("gs-id") ?? "");
      item.toggleAttribute("data-selected", chosen);
      item.setAttribute("aria-current", String(chosen));
    }
    const item = selection.first === undefined ? null : grid.item(selection.first);
    if (!item) {
      this.#rail.remove();
      return;
    }
    const tools = (this.#tools ??= this.#make());
    if (!tools) return;
    if (tools.parentElement !== this.#rail) this.#rail.append(tools);
    if (this.#rail.parentElement !== item) item.append(this.#rail);
    const many = selection.ids.length > 1;
    tools.toggleAttribute("data-several", many);
    for (const each of tools.querySelectorAll<HTMLElement>("[data-many]")) each.hidden = !many;
    for (const each of tools.querySelectorAll<HTMLElement>("[data-one], [data-tool=move], [data-tool=code]")) each.hidden = many;
    const locked = selection.ids.every((id) => grid.item(id)?.hasAttribute("data-locked"));
    tools.querySelector("[data-tool=lock]")?.setAttribute("aria-pressed", String(locked));
    this.size();
    // It stands at the right, or begins at the left where it would leave the
    // canvas. Where the widget is goes by the layout: it may be on its way.
    const at = this.#desk.layouts().get(selection.ids[0] ?? "");
    if (at) this.#rail.toggleAttribute("data-start", ((at.x + at.w) * grid.clientWidth) / grid.columns < tools.offsetWidth + 10);
  }

  /** What the pointer makes of the widget, or what it is. */
  size(at = this.#desk.layouts().get(this.#desk.selection.first ?? "")): void {
    const output = this.#tools?.querySelector("output");
    const n = this.#desk.selection.ids.length;
    if (output && at) output.textContent = n > 1 ? words("several", { n }) : words("size", { w: at.w, h: at.h });
  }

  say(): void {
    const { selection } = this.#desk;
    const { first } = selection;
    if (first !== undefined) announce(words("selected", { n: selection.ids.length, title: this.#desk.titleOf(first) }), true);
  }

  #make(): HTMLElement | undefined {
    const template = document.getElementById("canvas-toolbar");
    const root = template instanceof HTMLTemplateElement ? template.content.firstElementChild : null;
    return root ? (document.importNode(root, true) as HTMLElement) : undefined;
  }
}
