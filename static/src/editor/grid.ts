// <df-grid>: the canvas of the editor, moved and resized by GridStack. The
// server renders its items; what stands where afterwards is what show() says.
// It computes no layout of its own: while a pointer drags, GridStack pushes the
// others away, and at the end one event tells where everything stands.
//
// Events (bubbling):
//   df:grid-start  {id}             a pointer begins to move or resize
//   df:grid-move   {id, at}         where it would stand now
//   df:grid-done   {id, from, to}   it was let go; all stood so before, and stand
//                                   so now. Whoever hears it shows what is to stay.
//
// Items are .grid-stack-item[gs-id=WIDGET]; each is a stop of the Tab key and
// keeps its place in the DOM when tiles inside of it are replaced.
import { GridStack, GridStackEngine, type GridItemHTMLElement, type GridStackMoveOpts, type GridStackNode } from "gridstack";
import { reducedMotion } from "../page.ts";
import type { Layout } from "./document.ts";
import { type Layouts, readingOrder } from "./layout.ts";

export interface Item {
  at: Layout;
  title: string;
  label: string;
  min: { w: number; h: number };
  locked: boolean;
}

/** Something that is to come: where, its name, and why it is not there yet. */
export interface Ghost {
  at: Layout;
  title: string;
  note: string;
}

/** The height of a row with its gap of 12, in pixels. */
export const rowHeight = 40;

/** What is dragged takes the nearest cell. GridStack leaves it where it was until
 * half of what lies there is covered. */
class Engine extends GridStackEngine {
  protected override directionCollideCoverage(node: GridStackNode, opts: GridStackMoveOpts, collides: GridStackNode[]): GridStackNode | undefined {
    const hit = opts.resizing ? super.directionCollideCoverage(node, opts, collides) : collides.find((each) => !each.locked);
    if (hit) opts.collide = hit;
    return hit;
  }
}

export class Grid extends HTMLElement {
  #stack: GridStack | undefined;
  #columns = 12;
  #busy: string | undefined;
  #ghosts = "[]";
  #from: Layouts = new Map(); // how all stood when the pointer began

  connectedCallback(): void {
    if (this.#stack) return;
    const stack = GridStack.init(
      {
        column: 12,
        cellHeight: rowHeight,
        // The gap is in grid.css: here it would keep what is dragged from the
        // nearest cell.
        margin: 0,
        mode: "float",
        engineClass: Engine,
        animate: !reducedMotion(),
        // The whole tile, but not what can be clicked in it.
        draggable: { handle: ".grid-stack-item-content", cancel: ".w:not(.w-kpi) .w-body, .w-foot, a, [popover], .canvas-tools", scroll: true },
        resizable: { handles: "w, e, sw, s, se", autoHide: false },
        alwaysShowResizeHandle: true,
      },
      this,
    );
    if (!stack) return;
    this.#stack = stack;
    const id = (target: GridItemHTMLElement): string => target.gridstackNode?.id ?? "";
    const at = (target: GridItemHTMLElement): Layout => place(target);
    const start = (_: Event, target: GridItemHTMLElement): void => {
      this.#busy = id(target);
      this.#from = this.layouts();
      this.dataset["busy"] = "1";
      this.#tell("df:grid-start", { id: this.#busy });
    };
    const move = (_: Event, target: GridItemHTMLElement): void => this.#tell("df:grid-move", { id: this.#busy, at: at(target) });
    const stop = (): void => {
      const moved = this.#busy;
      this.#busy = undefined;
      delete this.dataset["busy"];
      // Only after GridStack has tidied up.
      queueMicrotask(() => this.#tell("df:grid-done", { id: moved, from: this.#from, to: this.layouts() }));
    };
    stack.on("dragstart resizestart", start as never);
    stack.on("drag resize", move as never);
    stack.on("dragstop resizestop", stop as never);
    this.setAttribute("ready", "");
  }

  disconnectedCallback(): void {
    this.#stack?.destroy(false);
    this.#stack = undefined;
  }

  /** A pointer is moving something. */
  get busy(): boolean {
    return this.#busy !== undefined;
  }

  get columns(): number {
    return this.#columns;
  }

  /** Nothing can be moved or resized for now. */
  rest(on: boolean): void {
    this.#stack?.setStatic(on);
  }

  item(id: string): HTMLElement | null {
    return this.querySelector<HTMLElement>(`:scope > .grid-stack-item[gs-id="${CSS.escape(id)}"]`);
  }

  /** Where everything stands at this moment. */
  layouts(): Layouts {
    return new Map((this.#stack?.getGridItems() ?? []).flatMap((each) => (each.gridstackNode?.id ? [[each.gridstackNode.id, place(each)] as const] : [])));
  }

  /** Shows these widgets at these places: new ones as a skeleton, those that
   * are not named go. While a pointer moves one, all stay as they are. */
  show(items: ReadonlyMap<string, Item>, width: number): void {
    if (this.busy) return;
    const stack = this.#stack;
    if (!stack) return;
    for (const each of stack.getGridItems()) {
      const id = each.gridstackNode?.id ?? each.getAttribute("gs-id") ?? "";
      if (!items.has(id)) stack.removeWidget(each, true, false);
    }
    if (width !== this.#columns) {
      this.#columns = width;
      stack.column(width, "none");
    }
    for (const [id, item] of items) {
      const element = this.item(id);
      if (!element) stack.makeWidget(this.#create(id, item), { id, ...item.at });
      const node = (element as GridItemHTMLElement | null)?.gridstackNode;
      if (node && (node.noMove ?? false) !== item.locked) stack.update(element as GridItemHTMLElement, { noMove: item.locked, noResize: item.locked, locked: item.locked });
    }
    stack.load([...items].map(([id, { at, min }]) => ({ id, ...at, minW: Math.min(min.w, at.w, width), minH: Math.min(min.h, at.h) })), false);
    const order = readingOrder(new Map([...items].map(([id, { at }]) => [id, at])));
    for (const [id, item] of items) {
      const element = this.item(id);
      if (!element) continue;
      element.tabIndex = 0;
      element.setAttribute("role", "group");
      element.setAttribute("aria-label", item.label);
      element.toggleAttribute("data-locked", item.locked);
      // Tab goes in reading order where the browser knows how.
      element.style.setProperty("reading-order", String(order.indexOf(id)));
    }
  }

  /** The cell below a point of the window, for something of a size. */
  cellAt(clientX: number, clientY: number, w: number, h: number): Layout {
    const box = this.getBoundingClientRect();
    const x = Math.floor((clientX - box.left) / (box.width / this.#columns));
    const y = Math.floor((clientY - box.top) / rowHeight);
    const width = Math.min(w, this.#columns);
    return { x: Math.min(Math.max(0, x), this.#columns - width), y: Math.max(0, y), w: width, h };
  }

  /** Draws a box where something would be dropped; null takes it away. */
  placeholder(at: Layout | null): void {
    let box = this.querySelector<HTMLElement>(":scope > .grid-drop");
    if (!at) {
      box?.remove();
      return;
    }
    if (!box) {
      box = document.createElement("div");
      box.className = "grid-drop";
      this.append(box);
    }
    this.#lay(box, at);
  }

  #lay(box: HTMLElement, at: Layout): void {
    const column = 100 / this.#columns;
    Object.assign(box.style, { left: `${String(at.x * column)}%`, width: `${String(at.w * column)}%`, top: `${String(at.y * rowHeight)}px`, height: `${String(at.h * rowHeight)}px` });
  }

  /** Draws what is to come in place of what was drawn as such before. */
  ghosts(list: readonly Ghost[]): void {
    const key = JSON.stringify(list);
    if (key === this.#ghosts) return;
    this.#ghosts = key;
    for (const box of this.querySelectorAll(":scope > .grid-ghost")) box.remove();
    for (const { at, title, note } of list) {
      const box = document.createElement("div");
      box.className = "grid-ghost";
      const text = document.createElement("p");
      const name = document.createElement("b");
      name.textContent = title;
      text.append(name, note);
      box.append(text);
      this.#lay(box, at);
      this.append(box);
    }
  }

  #create(id: string, item: Item): HTMLElement {
    const element = document.createElement("div");
    element.className = "grid-stack-item";
    element.setAttribute("gs-id", id);
    const content = document.createElement("div");
    content.className = "grid-stack-item-content";
    const tile = document.createElement("section");
    tile.className = "w w-first";
    tile.id = `w-${id}`;
    tile.dataset["widget"] = id;
    tile.setAttribute("aria-busy", "true");
    const head = document.createElement("header");
    head.className = "w-head";
    const title = document.createElement("h2");
    title.className = "w-title";
    title.textContent = item.title;
    head.append(title);
    const body = document.createElement("div");
    body.className = "w-body";
    const skeleton = document.createElement("div");
    skeleton.className = "skel skel-bars";
    skeleton.append(...Array.from({ length: 8 }, () => document.createElement("i")));
    body.append(skeleton);
    tile.append(head, body);
    content.append(tile);
    element.append(content);
    return element;
  }

  #tell(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  }
}

function place(item: GridItemHTMLElement): Layout {
  const { x = 0, y = 0, w = 1, h = 1 } = item.gridstackNode ?? {};
  return { x, y, w, h };
}

customElements.define("df-grid", Grid);
