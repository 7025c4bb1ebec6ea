// Pictures of a person's machine: chosen in the inspector of an image, dropped
// on the canvas or pasted. They become part of the dashboard (imagefile.ts).
// Files that are no pictures are left to the browser.
import { announce } from "../page.ts";
import { fileSize } from "../quantities.ts";
import { toast } from "../toast.ts";
import type { Desk } from "./desk.ts";
import { get, type Layout, pointer, setting } from "./document.ts";
import { budget, largest, nameOf, readPicture } from "./imagefile.ts";
import { firstSize } from "./layout.ts";
import { widgetOf } from "./selection.ts";
import { words } from "./words.ts";

/** What the server takes as one dashboard (domain/dashboards/config.go). */
const mostBytes = 1 << 20;

export class Pictures {
  readonly #desk: Desk;
  /** What drags began on the page carry is no file, whatever the browser says. */
  #inner = false;
  /** The descriptions that were made of names, by widget. */
  readonly #named = new Map<string, string>();

  constructor(desk: Desk, canvas: HTMLElement, inspector: HTMLElement, shown: () => string | undefined) {
    this.#desk = desk;
    const { signal } = desk;
    document.addEventListener("dragstart", () => (this.#inner = true), { signal });
    for (const type of ["dragend", "pointerdown"]) document.addEventListener(type, () => (this.#inner = false), { signal });
    canvas.addEventListener("dragover", (event) => this.#over(event), { signal });
    canvas.addEventListener("drop", (event) => this.#drop(event), { signal });
    inspector.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("[data-picture-choose], [data-picture-remove]") : null;
      const widget = shown();
      if (!button || widget === undefined || widget !== desk.selection.first) return;
      if (button.matches("[data-picture-choose]")) inspector.querySelector<HTMLElement>("[data-picture-input]")?.click();
      else desk.edit([setting(desk.doc, pointer("widgets", widget, "url"), undefined), setting(desk.doc, pointer("widgets", widget, "alt"), undefined)]);
    }, { signal });
    inspector.addEventListener("change", (event) => {
      const input = event.target;
      if (!(input instanceof HTMLInputElement) || !input.matches("[data-picture-input]")) return;
      const file = input.files?.[0];
      const widget = shown();
      input.value = ""; // the same file can be chosen again
      if (file && widget !== undefined) void this.#replace(widget, file);
    }, { signal });
  }

  /** Takes pasted files; false where none of them is a picture. */
  paste(files: readonly File[]): boolean {
    const list = files.filter(isPicture);
    if (list.length > 0) void this.#add(list);
    return list.length > 0;
  }

  /** The image that a picture would be dropped on. */
  #target(event: DragEvent): string | undefined {
    const id = widgetOf(event.target);
    return id !== undefined && get(this.#desk.doc, pointer("widgets", id, "type")) === "image" ? id : undefined;
  }

  #takes(event: DragEvent): boolean {
    const { root } = this.#desk;
    if (this.#inner || root.hasAttribute("preview") || (event.target as Element).closest(".canvas-bar")) return false;
    const items = [...(event.dataTransfer?.items ?? [])].filter(({ kind }) => kind === "file");
    // Firefox tells what they are when they are dropped.
    return items.length > 0 && items.every(({ type }) => type.startsWith("image/") || (event.type === "dragover" && type === "application/x-moz-file"));
  }

  #over(event: DragEvent): void {
    if (!this.#takes(event)) return;
    const { root, grid } = this.#desk;
    const id = this.#target(event);
    const { w, h } = firstSize("image");
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
    const mark = id === undefined ? null : grid.item(id);
    for (const each of root.querySelectorAll("[data-over]")) if (each !== mark) each.removeAttribute("data-over");
    mark?.setAttribute("data-over", "");
    grid.placeholder(mark ? null : grid.cellAt(event.clientX, event.clientY, w, h));
  }

  #drop(event: DragEvent): void {
    if (!this.#takes(event)) return;
    const { root, grid, selection, device } = this.#desk;
    const files = [...(event.dataTransfer?.files ?? [])];
    const id = this.#target(event);
    const { w, h } = firstSize("image");
    const cell = grid.cellAt(event.clientX, event.clientY, w, h);
    event.preventDefault();
    grid.placeholder(null);
    for (const each of root.querySelectorAll("[data-over]")) each.removeAttribute("data-over");
    selection.set(id === undefined ? [] : [id]);
    grid.focus({ preventScroll: true });
    const [first] = files;
    if (id !== undefined && first) void this.#replace(id, first);
    // Other devices have no places of their own for what is new.
    else void this.#add(files, device === "desktop" ? cell : undefined);
  }

  /** Adds a widget for each picture, the first at a place. */
  async #add(files: readonly File[], at?: Layout): Promise<void> {
    let place = at;
    for (const file of files) {
      const url = await this.#read(file, "");
      if (url === undefined) continue;
      const name = nameOf(file.name);
      // What is on the clipboard itself has no name of its own.
      const nameless = name === "" || name === "image";
      const widget = { type: "image", title: nameless ? words("picture") : name, layout: { x: 0, y: 0, ...firstSize("image") }, url, ...(nameless ? {} : { alt: name }) };
      this.#desk.act({ kind: "paste", widgets: [widget], ...(place ? { at: { x: place.x, y: place.y } } : {}) });
      place = undefined;
    }
  }

  async #replace(widget: string, file: File): Promise<void> {
    const { doc } = this.#desk;
    const path = pointer("widgets", widget);
    const before = get(doc, `${path}/url`);
    const url = await this.#read(file, typeof before === "string" ? before : "");
    if (url === undefined || get(this.#desk.doc, path) === undefined) return;
    const name = nameOf(file.name);
    // What somebody wrote stays; what was made of a name follows.
    const alt = get(this.#desk.doc, `${path}/alt`);
    const own = typeof alt === "string" && alt !== "" && alt !== this.#named.get(widget) && alt !== get(this.#desk.doc, `${path}/title`);
    if (!own) this.#named.set(widget, name);
    this.#desk.edit([setting(this.#desk.doc, `${path}/url`, url), own || name === "" ? null : setting(this.#desk.doc, `${path}/alt`, name)]);
    announce(words(own ? "picture_replaced" : "picture_set", { title: this.#desk.titleOf(widget), name }), true);
  }

  /** The address that a file becomes; undefined where it was said why not. */
  async #read(file: File, before: string): Promise<string | undefined> {
    const { name } = file;
    const read = await readPicture(file);
    if (typeof read === "string") {
      toast(words(`picture_${read}`, { name: name || words("picture"), most: fileSize(read === "large" ? largest : budget) }), "neg", 15_000);
      return undefined;
    }
    const taken = new TextEncoder().encode(JSON.stringify(this.#desk.doc)).length - before.length;
    if (taken + read.url.length > mostBytes) {
      toast(words("picture_full", { name: name || words("picture") }), "neg", 15_000);
      return undefined;
    }
    if (read.stopped) toast(words("picture_stopped", { name }), "", 15_000);
    return read.url;
  }
}

function isPicture({ type }: File): boolean {
  return type.startsWith("image/");
}
