// <df-editor path="/dashboards/ID" user="USERID">: the editor of a dashboard.
// Holds the document (sync.ts) and puts its parts together: canvas, selection,
// keyboard, drag and drop, the panels at both sides, presence.
//
// What a change does to the data of tiles is the server's to say: after each
// answer the page asks for what changed, as <df-dashboard> does anyway.
import { announce, locale } from "../page.ts";
import { toast } from "../toast.ts";
import { transport } from "../transport.ts";
import { type Lost, placeOf, Places, Values } from "./contest.ts";
import type { Desk } from "./desk.ts";
import { applyAll, diff, get, isObject, type JsonObject, type Json, type Operation, pointer, same, setting, touched, uuid, widgets } from "./document.ts";
import { dragAndDrop } from "./drag.ts";
import { editFile, saidBefore } from "./file.ts";
import { type Ghost, Grid, type Item, rowHeight } from "./grid.ts";
import "./groups.ts";
import { Inspector } from "./inspector.ts";
import { Keys } from "./keys.ts";
import { added, align, type Alignment, arrange, columns, type Device, firstSize, hiddenOnPhone, layoutOf, type Layouts, leastSize, letGo, lockedOf, readingOrder, reorder } from "./layout.ts";
import { Pictures } from "./pictures.ts";
import { Presence } from "./presence.ts";
import { Marks, selectByPointer, Selection } from "./selection.ts";
import { Side } from "./side.ts";
import { Shelf } from "./store.ts";
import { type Act, type Conflicted, type Deed, type Logged, type Outcome, Sync, type Way } from "./sync.ts";
import { Tabs } from "./tabs.ts";
import { carry, onTab } from "./tabset.ts";
import { words } from "./words.ts";

interface Page {
  rev: number;
  doc: JsonObject;
  undo?: Deed | null;
  redo?: Deed | null;
  saved_at?: string;
  /** What was done in the last minutes. */
  lately?: Logged[];
  now?: string;
}

// Below the wider one the editor has neither palette nor room to arrange
// (editor.css).
const smallWindow = matchMedia("(max-width: 899.98px)");
const phoneWindow = matchMedia("(max-width: 639.98px)");

const alignments: Record<string, Alignment> = {
  "align-left": "left", "align-top": "top", "same-width": "width", "same-height": "height", "distribute-across": "across", "distribute-down": "down",
};

/** How long a notice stands that offers something, in ms. */
const noticed = 30_000;
/** How many notices one change may bring; more are told as one. */
const mostNotices = 3;

class Editor extends HTMLElement implements Desk {
  readonly root: HTMLElement = this;
  readonly tab = uuid();
  readonly selection = new Selection(() => this.#selected());
  #ended = new AbortController();
  #device: Device = "desktop";
  #sync!: Sync;
  #shelf!: Shelf;
  #grid!: Grid;
  #marks!: Marks;
  #inspector!: Inspector;
  #side!: Side;
  #keys!: Keys;
  #presence!: Presence;
  #tabs!: Tabs;
  #places!: Places;
  #values!: Values;
  /** Places that the keyboard tries out. */
  #trial: Layouts | null = null;
  #ready = false;

  get path(): string {
    return this.getAttribute("path") ?? "";
  }
  get user(): string {
    return this.getAttribute("user") ?? "";
  }
  get signal(): AbortSignal {
    return this.#ended.signal;
  }
  get sync(): Sync {
    return this.#sync;
  }
  get grid(): Grid {
    return this.#grid;
  }
  get device(): Device {
    return this.#device;
  }
  get doc(): JsonObject {
    return this.#sync.view;
  }

  connectedCallback(): void {
    const text = document.getElementById("editor-doc")?.textContent;
    const grid = document.getElementById("dash");
    const canvas = document.getElementById("canvas");
    const inspector = document.getElementById("inspector");
    if (!text || !(grid instanceof Grid) || !canvas || !inspector) return;
    this.#ended = new AbortController();
    const page = JSON.parse(text) as Page;
    this.#grid = grid;
    this.#shelf = new Shelf(this.user, this.path, this.tab);
    this.#sync = new Sync(
      {
        path: this.path, rev: page.rev, doc: page.doc, savedAt: page.saved_at ?? "",
        fetch: (path, init) => fetch(path, init),
        store: this.#shelf,
        online: () => navigator.onLine,
        later: (ms, call) => {
          const timer = setTimeout(call, ms);
          return () => clearTimeout(timer);
        },
        events: {
          changed: (ids, mine) => this.#changed(ids, mine),
          confirmed: (operations, sent) => this.#confirmed(operations, sent),
          state: () => this.#state(),
          overwrote: (list) => {
            // Of places, only who lost one hears.
            for (const { path, text } of list) if (text && !placeOf({ op_id: "", path })) toast(text, "", 15_000);
          },
          skipped: (operations) => {
            for (const id of touched(operations)) this.#late(id, operations.filter((each) => touched([each]).has(id)));
          },
          // People know a widget by its title, files by its id.
          refused: (sentence) => toast(words("refused", { sentence: sentence.replace(/^Widget "([^"]+)":/, (_, id: string) => `“${this.titleOf(id)}”:`) }), "neg", 15_000),
          select: (ids) => this.#select(ids),
        },
      },
      { undo: page.undo ?? undefined, redo: page.redo ?? undefined },
    );
    this.#places = new Places(this.user);
    this.#values = new Values(this.user);
    this.#remember(page);
    this.#tabs = new Tabs(this, () => {
      this.selection.set([]);
      this.#draw();
      this.#side.layers();
      document.querySelector<HTMLElement>("[data-key-refresh]")?.click();
    });
    this.#marks = new Marks(this);
    this.#inspector = new Inspector(this, inspector);
    this.#side = new Side(this);
    const pictures = new Pictures(this, canvas, inspector, () => this.#inspector.shown);
    this.#keys = new Keys(this, (layouts) => {
      this.#trial = layouts;
      this.#draw();
    }, (files) => pictures.paste(files));
    selectByPointer(this, canvas);
    dragAndDrop(this, canvas);
    this.#presence = new Presence(this);
    this.#listen();
    this.#follow();
    this.#ready = true;
    this.#fit();
    this.#side.layers();
    this.#state();
    void this.#inspector.load();
    saidBefore();
    void this.#adopt();
  }

  disconnectedCallback(): void {
    this.#ended.abort();
    this.#shelf?.close();
    this.#ready = false;
  }

  /** Takes over what an earlier page of this person could not send. */
  async #adopt(): Promise<void> {
    try {
      const { changes, done } = await this.#shelf.left();
      if (changes.length > 0) this.#sync.adopt(changes);
      if (!this.#sync.atRisk) done();
    } catch {
      // A browser without storage left nothing.
    }
  }

  /** The stream of what others do. It stands where <df-dashboard> hears of new
   * data too. */
  #follow(): void {
    const live = document.createElement("df-live");
    live.setAttribute("url", `${this.path}/edit/events?tab=${this.tab}`);
    live.setAttribute("events", "edits presence versions comments notified");
    live.hidden = true;
    this.before(live);
    // Where it ends for good the page would be loaded anew.
    const { reload } = transport;
    transport.reload = () => void this.#stopped(reload);
    this.signal.addEventListener("abort", () => {
      live.remove();
      transport.reload = reload;
    });
  }

  /** Nobody tells this page any more what happens: perhaps because the person may
   * not edit any longer. What is not saved is sent, or shown, before it goes. */
  async #stopped(reload: () => void): Promise<void> {
    this.#inspector.flush();
    this.#sync.now();
    await this.#sync.idle();
    if (!this.#unkept) reload();
  }

  /** What could not be saved is on the screen. */
  #unkept = false;

  /** Shows what can't be saved any more, as text that can be copied and goes on
   * to take what is being typed. */
  #showUnkept(reason: string): void {
    const dialog = document.getElementById("unkept");
    const area = dialog?.querySelector("textarea");
    const about = dialog?.querySelector("[data-unkept-text]");
    if (this.#unkept || !(dialog instanceof HTMLDialogElement) || !area || !about) return;
    this.#unkept = true;
    this.#inspector.flush();
    const lines = new Map<string, string>();
    let others = 0;
    for (const { path, before, after } of this.#sync.unsent) {
      if (typeof after !== "string" || after === "") {
        others++;
        continue;
      }
      const [id] = touched([{ path }]);
      const title = id === undefined ? words("the_dashboard") : path.endsWith("/title") && typeof before === "string" ? before : this.titleOf(id);
      lines.delete(path);
      lines.set(path, `${title}: ${after}`);
    }
    others += this.#sync.acts.length;
    about.textContent = [reason, lines.size > 0 ? words("unkept_texts") : "", others > 0 ? words(lines.size > 0 ? "unkept_more" : "unkept_only", { n: others }) : ""].filter((each) => each !== "").join(" ");
    area.value = [...lines.values()].join("\n");
    area.hidden = lines.size === 0;
    const copy = dialog.querySelector<HTMLElement>("[data-unkept=copy]");
    if (copy) copy.hidden = lines.size === 0;
    copy?.addEventListener("click", () => {
      navigator.clipboard.writeText(area.value).then(() => announce(words("unkept_copied"), true), () => area.select());
    });
    dialog.querySelector("[data-unkept=leave]")?.addEventListener("click", () => location.reload());
    // Escape may be part of what is being typed.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    for (const other of document.querySelectorAll<HTMLDialogElement>("dialog[open]")) other.close();
    dialog.showModal();
    if (lines.size === 0) return;
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  }

  #listen(): void {
    const { signal } = this;
    document.addEventListener("click", (event) => this.#click(event), { signal });
    document.addEventListener("df:edits", (event) => {
      const { detail } = event as CustomEvent<{ rev: number; published: number; pending: boolean } | null>;
      if (!detail) return;
      this.#sync.behind(detail.rev);
      this.#heardOfPublishing(detail.published, detail.pending);
    }, { signal });
    document.addEventListener("df:signout", () => this.#sync.forgotten(), { signal });
    // What is on its way gets there before the page is left.
    document.addEventListener("submit", (event) => this.#leave(event, event.target instanceof HTMLFormElement && event.submitter?.matches("[data-edit=publish]") ? event.submitter : null), { signal, capture: true });
    document.addEventListener("click", (event) => {
      const link = event.target instanceof Element && event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey ? event.target.closest<HTMLAnchorElement>("a[href]:not([download], [target], [hx-get], [data-set], [data-table-page])") : null;
      this.#leave(event, link?.origin === location.origin ? link : null);
    }, { signal, capture: true });
    addEventListener("online", () => {
      this.#sync.now();
      this.#state();
    }, { signal });
    addEventListener("offline", () => this.#state(), { signal });
    addEventListener("focus", () => {
      if (this.#sync.state.name === "signed_out") this.#sync.now();
    }, { signal });
    addEventListener("beforeunload", (event) => {
      if (this.#sync.atRisk) event.preventDefault();
    }, { signal });
    // What is still being typed is part of the queue that outlives the page.
    addEventListener("pagehide", () => {
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    }, { signal });
    this.#grid.addEventListener("df:grid-start", () => (this.#taken = this.#sync.rev), { signal });
    this.#grid.addEventListener("df:grid-move", (event) => this.#marks.size((event as CustomEvent<{ at: Item["at"] }>).detail.at), { signal });
    this.#grid.addEventListener("df:grid-done", (event) => {
      const { id, from, to } = (event as CustomEvent<{ id: string; from: Layouts; to: Layouts }>).detail;
      this.#dropped(id, from, to);
      this.#draw();
    }, { signal });
    // Tiles that come in carry what the document says, not what was typed since.
    document.addEventListener("htmx:after:swap", () => this.#titleTiles(), { signal });
  }

  get #publishButton(): HTMLElement | null {
    return document.querySelector<HTMLElement>("#page-head [data-edit=publish]");
  }

  /** Somebody has published, here or elsewhere: says so, and on the button whether
   * there is something to publish. */
  #heardOfPublishing(published: number, pending: boolean): void {
    const button = this.#publishButton;
    if (!button) return;
    if (published > Number(button.dataset["published"])) toast(words("published_now"), "", 15_000);
    button.dataset["published"] = String(published);
    button.dataset["pending"] = String(pending);
    this.#state();
  }

  #leave(event: Event, to: HTMLElement | null): void {
    if (!to || this.#sync.waiting === 0) return;
    event.preventDefault();
    event.stopPropagation();
    void this.#sync.idle().then(() => {
      if (this.#sync.waiting === 0) to.click();
      else if (to instanceof HTMLAnchorElement) location.assign(to.href);
      else toast(words("publish_waits"), "neg");
    });
  }

  // The document and what is shown of it.

  /** The document with what the canvas shows: the widgets of one tab. */
  get #page(): JsonObject {
    return onTab(this.doc, this.#tabs.current);
  }

  layouts(): Layouts {
    return this.#trial ?? layoutOf(this.#page, this.#device);
  }

  /** The last known titles, of widgets that are gone too. */
  #titles = new Map<string, string>();

  titleOf(id: string): string {
    const title = get(this.doc, pointer("widgets", id, "title"));
    const text = typeof title === "string" && title !== "" ? title : undefined;
    if (text !== undefined) this.#titles.set(id, text);
    return text ?? (this.#grid.item(id)?.querySelector(".w-title")?.textContent?.trim() || this.#titles.get(id) || words("untitled"));
  }

  /** Takes the offers to undo away: what they undo is no longer the last change. */
  #overtaken(): void {
    for (const button of document.querySelectorAll("#toasts [data-edit=undo]")) button.closest(".toast")?.remove();
  }

  edit(operations: readonly (Operation | null)[], seen?: number): void {
    this.#overtaken();
    const done = operations.filter((each) => each !== null);
    for (const each of done) if (!placeOf(each)) this.#withdraw(each.path);
    this.#sync.edit(done, seen);
  }

  /** What stands in a notice to be taken again, by its paths. */
  readonly #offers: { box: Element; paths: Set<string> }[] = [];

  /** Takes away what is offered of a value that was set anew. */
  #withdraw(path: string): void {
    for (const { box, paths } of this.#offers) {
      for (const each of paths) if (each === path || each.startsWith(`${path}/`) || path.startsWith(`${each}/`)) paths.delete(each);
      if (paths.size === 0) box.remove();
    }
    this.#offers.splice(0, Infinity, ...this.#offers.filter(({ box }) => box.isConnected));
  }

  /** What was done to widgets that somebody else had deleted by then. */
  readonly #lateOf = new Map<string, Operation[]>();

  /** A change came too late: it comes back with its widget where that is offered,
   * else it is said to be lost. */
  #late(id: string, operations: readonly Operation[]): void {
    this.#lateOf.set(id, [...(this.#lateOf.get(id) ?? []), ...operations]);
    const path = pointer("widgets", id);
    const offer = this.#offers.find(({ box, paths }) => box.isConnected && paths.has(path));
    const said = offer?.box.querySelector("p");
    if (!said) {
      toast(words("gone", { title: this.#titles.get(id) ?? this.titleOf(id) }), "neg", 15_000);
      return;
    }
    const note = ` ${words("comes_back")}`;
    if (!said.textContent.endsWith(note)) said.append(note);
  }

  set(widget: string, path: string, value: Json | undefined): void {
    if (get(this.doc, pointer("widgets", widget)) === undefined) {
      this.#late(widget, [{ op_id: "", path: pointer("widgets", widget) + path, ...(value === undefined ? {} : { after: value }) }]);
      return;
    }
    this.edit([setting(this.doc, pointer("widgets", widget) + path, value)]);
  }

  act(act: Act, outcome?: (refused?: string) => void): void {
    this.#overtaken();
    const { current } = this.#tabs;
    // A forecast is a line that goes on.
    const meant = act["type"] === "forecast" ? { ...act, type: "line", forecast: true } : act;
    this.#sync.act(current === undefined ? meant : { ...meant, tab: current }, outcome);
    const [last] = this.#ghosts.slice(-1);
    if (last?.note && this.#sync.acts.at(-1)?.["kind"] === act.kind) announce(`${last.title}: ${last.note}`, true);
  }

  #ghosts: Ghost[] = [];

  /** Draws what was added and the server has not made yet. */
  #showGhosts(offline: boolean): void {
    const note = offline ? words("drawn_later") : "";
    const width = columns[this.#device];
    const current = this.#tabs.current;
    const list = this.#sync.acts.filter((act) => act["tab"] === undefined || act["tab"] === current).flatMap((act) => {
      const given = act["at"];
      const at = isObject(given) ? { x: Number(given["x"]), y: Number(given["y"]) } : {};
      return this.#comes(act).map(({ title, w, h }) => ({ title, ...at, w: this.#device === "phone" ? width : Math.min(w, width), h }));
    });
    const places = added(this.layouts(), list, width);
    this.#ghosts = list.map(({ title }, n) => ({ at: places[n] as Item["at"], title, note }));
    this.#grid.ghosts(this.#ghosts);
    if (this.#ghosts.length > 0) for (const hint of this.querySelectorAll<HTMLElement>("[data-canvas-empty]")) hint.hidden = true;
  }

  /** The widgets that an act will make, as far as the page knows. */
  #comes(act: Act): { title: string; w: number; h: number }[] {
    const sized = (widget: Json | undefined, title: string): { title: string; w: number; h: number } => ({ title, ...firstSize(isObject(widget) ? String(widget["type"]) : "") });
    switch (act.kind) {
      case "add_widget": {
        const type = act["forecast"] === true ? "forecast" : String(act["type"]);
        return [sized({ type }, document.querySelector(`[data-palette-type="${CSS.escape(type)}"] > span`)?.textContent ?? words("new_widget"))];
      }
      case "add_field":
        return [{ title: document.querySelector<HTMLElement>(`#fields [data-field="${CSS.escape(String(act["field"]))}"]`)?.dataset["label"] ?? String(act["field"]), ...firstSize("") }];
      case "duplicate":
        return (act["widgets"] as string[]).flatMap((id) => {
          const at = this.layouts().get(id);
          return at ? [{ title: this.titleOf(id), w: at.w, h: at.h }] : [];
        });
      case "paste":
        return (act["widgets"] as Json[]).map((each) => sized(each, isObject(each) && typeof each["title"] === "string" && each["title"] !== "" ? each["title"] : words("new_widget")));
      default:
        return [];
    }
  }

  place(layouts: Layouts, held: readonly string[] = [], seen?: number): void {
    const now = layoutOf(this.#page, this.#device);
    const changed = [...layouts].filter(([id, at]) => now.has(id) && !same({ ...at }, { ...(now.get(id) as Item["at"]) }));
    if (changed.length === 0) {
      this.#draw();
      return;
    }
    const desktop = this.#device === "desktop";
    // What has no place of its own on a small screen would move when others do.
    const written = desktop ? changed : [...layouts];
    // What somebody meant comes first (contest.ts), then what gave way.
    written.sort(([a], [b]) => Number(held.includes(b)) - Number(held.includes(a)));
    const part = desktop ? "/layout" : `/layouts/${this.#device}`;
    for (const [id] of changed) if (held.includes(id)) this.#withdraw(pointer("widgets", id) + part);
    const order = readingOrder(layouts);
    const off = hiddenOnPhone(this.doc);
    this.edit(written.map(([id, at]) => {
      const value: Json = desktop || this.#device === "tablet" ? { ...at } : { y: order.indexOf(id), h: at.h, ...(off.has(id) ? { hidden: true } : {}) };
      return setting(this.doc, pointer("widgets", id) + part, value);
    }), seen);
  }

  removeWidgets(ids: readonly string[]): void {
    const there = ids.filter((id) => get(this.doc, pointer("widgets", id)) !== undefined);
    const [first] = there;
    if (first === undefined) return;
    const title = this.titleOf(first);
    const order = readingOrder(this.layouts());
    const left = (id: string): boolean => !there.includes(id);
    const next = order.slice(order.indexOf(first)).find(left) ?? order.slice(0, order.indexOf(first)).findLast(left);
    this.edit(there.map((id) => setting(this.doc, pointer("widgets", id), undefined)));
    this.undoable(there.length === 1 ? words("removed", { title }) : words("removed_many", { n: there.length }));
    if (document.activeElement === document.body && next !== undefined) this.#grid.item(next)?.focus({ preventScroll: true });
  }

  undoable(text: string): void {
    const button = this.#offer(text, words("undo"), 8000);
    if (button) button.dataset["edit"] = "undo";
  }

  /** Says something with a button that does something about it: about the values at
   * paths, as long as the person does not set them anew. */
  #offer(text: string, label: string, ms: number, act?: (paths: ReadonlySet<string>) => void, about: readonly string[] = []): HTMLButtonElement | undefined {
    toast(text, "", ms);
    const shown = document.getElementById("toasts")?.lastElementChild;
    if (shown?.textContent !== text) return undefined;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-sm btn-ghost";
    button.dataset["toastClose"] = "";
    button.textContent = label;
    const offer = { box: shown, paths: new Set(about) };
    if (about.length > 0) this.#offers.push(offer);
    if (act) button.addEventListener("click", () => act(new Set(offer.paths)));
    shown.append(button);
    return button;
  }

  #changed(ids: Set<string>, mine: boolean): void {
    if (!this.#ready) return;
    if (!mine) this.#held = new Set([...this.selection.ids].filter((id) => ids.has(id)));
    this.#draw();
    this.#side.layers();
    this.#titleTiles();
    this.#texts();
    // One's own typing is in the inspector already.
    if (!mine && this.selection.first !== undefined && ids.has(this.selection.first)) void this.#inspector.load();
  }

  #draw(): void {
    if (!this.#ready) return;
    const locked = lockedOf(this.doc);
    const layouts = this.layouts();
    const items = new Map<string, Item>();
    for (const [id, widget] of widgets(this.#page)) {
      const at = layouts.get(id);
      if (!at) continue;
      const title = this.titleOf(id);
      items.set(id, { at, title, label: words("place", { title, column: at.x + 1, row: at.y + 1, w: at.w, h: at.h }), min: leastSize(String(widget["type"])), locked: locked.has(id) });
    }
    this.#grid.show(items, columns[this.#device]);
    this.selection.keep((id) => items.has(id));
    const off = this.#device === "phone" ? hiddenOnPhone(this.doc) : new Set<string>();
    for (const id of items.keys()) this.#grid.item(id)?.toggleAttribute("data-off", off.has(id));
    this.#tabs.draw();
    this.#marks.show();
    this.#presence.show();
    for (const hint of this.querySelectorAll<HTMLElement>("[data-canvas-empty]")) hint.hidden = items.size > 0;
  }

  /** What is typed as a title stands in the tile at once. */
  #titleTiles(): void {
    for (const id of widgets(this.doc).keys()) {
      const title = get(this.doc, pointer("widgets", id, "title"));
      const tile = this.#grid.item(id)?.querySelector<HTMLElement>("section[data-widget]");
      if (typeof title !== "string" || title === "" || !tile) continue;
      if (tile.getAttribute("aria-label") !== title) {
        tile.setAttribute("aria-label", title);
        const menu = words("widget_menu", { title });
        for (const part of tile.querySelectorAll(".w-head :is(.w-menu, [role=menu])")) {
          part.setAttribute("aria-label", menu);
          if (part.hasAttribute("title")) part.setAttribute("title", menu);
        }
      }
      const heading = tile.querySelector<HTMLElement>(".w-title");
      if (heading && (heading.textContent !== title || heading.title !== title)) {
        heading.textContent = title;
        heading.title = title;
      }
    }
  }

  /** Texts beside the tiles that show values of the document. */
  #texts(): void {
    const put = (place: Element, value: Json | undefined): void => {
      if (typeof value !== "string") return;
      if (place.textContent !== value) place.textContent = value;
      if (place.hasAttribute("title")) place.setAttribute("title", value);
    };
    for (const place of document.querySelectorAll<HTMLElement>("[data-doc-text]")) put(place, get(this.doc, place.dataset["docText"] ?? ""));
    const { shown } = this.#inspector;
    if (shown === undefined) return;
    for (const place of this.querySelectorAll<HTMLElement>("#inspector [data-path-text]")) put(place, get(this.doc, pointer("widgets", shown) + (place.dataset["pathText"] ?? "")));
  }

  /** The server has it: tiles whose data depends on it come anew. */
  #confirmed(operations: readonly Logged[], sent: readonly Operation[]): void {
    this.#contest(operations, sent);
    this.#publishButton?.setAttribute("data-pending", "true"); // the stream says it where it is not so
    const quiet = /^\/widgets\/[^/]+\/(layout|layouts|locked|title|subtitle)(\/|$)/;
    const ids = touched(operations);
    const first = this.selection.first;
    if (operations.some(({ path }) => !quiet.test(path) || path.endsWith("/subtitle"))) document.querySelector<HTMLElement>("[data-key-refresh]")?.click();
    if (this.selection.ids.length > 1) void this.#inspector.load();
    else if (first === undefined ? operations.some(({ path }) => !path.startsWith("/widgets/")) : ids.has(first)) void this.#inspector.load();
  }

  /** What this person set before the page was loaded; what others took of it
   * meanwhile is told. */
  #remember({ lately = [], now = "", rev }: Page): void {
    const ahead = Date.now() - Date.parse(now);
    const key = `df-edit-seen:${this.path}`;
    const told = Number(sessionStorage.getItem(key) ?? rev);
    addEventListener("pagehide", () => sessionStorage.setItem(key, String(this.#sync.rev)), { signal: this.signal });
    for (const id of new Set(lately.map(({ change_id }) => change_id))) {
      const change = lately.filter(({ change_id }) => change_id === id);
      const at = Date.parse(change[0]?.at ?? "") + ahead;
      if ((change[0]?.rev ?? 0) > told) queueMicrotask(() => this.#contest(change, [], at));
      else {
        this.#places.hear(change, [], at);
        this.#values.hear(change, undefined, at);
      }
    }
  }

  /** What was selected as somebody else changed it. */
  #held: ReadonlySet<string> = new Set();

  /** The names of those who did something here, by their ids. */
  readonly #names = new Map<string, string>();

  /** The name of somebody; "" is a program. */
  #nameOf(user: string): string {
    if (user === "") return words("program");
    return this.#names.get(user) ?? this.#presence.nameOf(user) ?? words("somebody");
  }

  /** Says it where somebody else has changed what this person had just set, or
   * is writing at this moment, or has selected. */
  #contest(operations: readonly Logged[], sent: readonly Operation[], now = Date.now()): void {
    for (const { path, user, user_id, undoes } of operations) {
      if (user && user_id !== undefined) this.#names.set(user_id, user);
      if (user_id === this.user && undoes === undefined && !placeOf({ op_id: "", path })) this.#withdraw(path);
    }
    this.#deleted(operations, now);
    this.#placed(this.#places.hear(operations, sent, now).filter(({ widget }) => get(this.doc, pointer("widgets", widget)) !== undefined));
    const lost = this.#values.hear(operations, this.#inspector.writing, now).map((each) => {
      const { path, user, before, after, mine, writing } = each;
      const name = this.#nameOf(user);
      const [, part, id = "", ...below] = path.split("/");
      if (part === "widgets" && below.length === 0 && mine && mine.after === undefined) return { ...each, text: words("put_back_by", { name, title: this.titleOf(id) }), back: true };
      const key = writing ? "written_over" : "changed_after";
      // Of a widget that was renamed, the name by which this person knows it.
      const known = path.endsWith("/title") && typeof before === "string" && before !== "" ? before : this.titleOf(id);
      const filter = get(this.doc, pointer("filters", id)) ?? (below.length === 0 ? before ?? mine?.after : undefined);
      const label = path.endsWith("/label") ? before : isObject(filter) ? filter["label"] : undefined;
      const title = part === "widgets" ? known : part === "filters" && typeof label === "string" ? words("the_filter", { title: label }) : words("the_dashboard");
      const value = typeof after === "string" && after !== "" && after.length <= 80 ? after : undefined;
      return { ...each, text: words(value === undefined ? key : `${key}_value`, { name, title, value: value ?? "" }), back: false };
    });
    for (const each of lost) if (each.writing || each.back || !each.mine) toast(each.text, "", 15_000);
    const mine = lost.filter((each) => each.mine && !each.writing && !each.back);
    const take = (paths: ReadonlySet<string>): void => {
      const wanted = mine.filter(({ path }) => paths.has(path));
      const there = wanted.filter(({ path }) => this.#isThere(path));
      for (const { path } of wanted) if (!there.some((each) => each.path === path)) this.#sayGone(path);
      this.edit(there.map((each) => setting(this.doc, each.path, each.mine?.after)));
    };
    for (const user of new Set(mine.map((each) => each.user))) {
      const all = mine.filter((each) => each.user === user);
      if (all.length <= mostNotices) for (const { text, path } of all) this.#offer(text, words("use_mine"), noticed, take, [path]);
      else this.#offer(words("changed_after_many", { name: this.#nameOf(user), n: all.length }), words("use_mine"), noticed, take, all.map(({ path }) => path));
    }
  }

  /** Tells whether the widget of a path is there, where it is one of a widget. */
  #isThere(path: string): boolean {
    const [, part, id, ...below] = path.split("/");
    return part !== "widgets" || id === undefined || below.length === 0 || get(this.doc, `/widgets/${id}`) !== undefined;
  }

  #sayGone(path: string): void {
    const [id = ""] = touched([{ path }]);
    toast(words("use_mine_gone", { title: this.titleOf(id) }), "neg", 15_000);
  }

  /** Says who changed the places or sizes that this person had given. */
  #placed(lost: readonly Lost[]): void {
    for (const user of new Set(lost.map((each) => each.user))) {
      const all = lost.filter((each) => each.user === user);
      const name = this.#nameOf(user);
      const take = (paths: ReadonlySet<string>): void => {
        for (const each of all) if (paths.has(each.path)) this.#takePlace(each);
      };
      if (all.length <= mostNotices) for (const { path, widget } of all) this.#offer(words("placed_after", { name, title: this.titleOf(widget) }), words("use_mine"), noticed, take, [path]);
      else this.#offer(words("placed_after_many", { name, n: all.length }), words("use_mine"), noticed, take, all.map(({ path }) => path));
    }
  }

  /** Takes again what this person had set of a widget's place, as one change. */
  #takePlace({ path, widget, mine }: Lost): void {
    if (!this.#isThere(path)) {
      this.#sayGone(path);
      return;
    }
    const now = get(this.doc, path) ?? {};
    if (!isObject(now)) return;
    const device = path.endsWith("/tablet") ? "tablet" : path.endsWith("/phone") ? "phone" : "desktop";
    const at = device === this.#device && device !== "phone" ? this.layouts().get(widget) : undefined;
    const next = at && { ...at, ...mine };
    const moved = next && arrange(this.layouts(), new Map([[widget, { ...next, x: Math.min(next.x, this.#grid.columns - next.w) }]]), lockedOf(this.doc), this.#grid.columns);
    if (moved) this.place(moved, [widget]);
    else this.edit([setting(this.doc, path, { ...now, ...mine })]);
    this.#select([widget]);
  }

  /** Says who deleted what this person had selected or just worked on, and brings
   * it back where that is wanted. */
  #deleted(operations: readonly Logged[], now: number): void {
    const gone = operations.filter(({ path, before, after, user_id }) => user_id !== this.user && before !== undefined && after === undefined && /^\/widgets\/[^/]+$/.test(path) && get(this.doc, path) === undefined);
    for (const change of new Set(gone.map((each) => each.change_id))) {
      const all = gone.filter((each) => each.change_id === change);
      const mine = all.filter(({ path, seen }) => {
        const [id = ""] = touched([{ path }]);
        return this.#held.has(id) || this.#places.has(id, now, seen) || this.#values.has(path, now, seen);
      });
      const [first] = mine;
      if (!first) continue;
      const name = this.#nameOf(first.user_id ?? "");
      const [id = ""] = touched([first]);
      const text = all.length === 1 ? words("deleted_by", { name, title: this.titleOf(id) }) : words("deleted_by_many", { name, n: all.length });
      // A tab that went with its widgets comes back before them.
      const back = operations.filter((each) => each.change_id === change && each.before !== undefined && each.after === undefined && /^\/(widgets|tabs|filters)\/[^/]+$/.test(each.path)).toReversed();
      const ids = [...touched(all)];
      for (const each of ids) this.#lateOf.delete(each);
      for (const each of ids) this.#withdraw(pointer("widgets", each)); // one notice says it
      this.#offer(text, words("undo"), noticed, () => {
        const late = ids.flatMap((each) => this.#lateOf.get(each) ?? []);
        const restored = applyAll(this.doc, [...back.flatMap((each) => setting(this.doc, each.path, each.before) ?? []), ...late]);
        this.edit(back.map((each) => setting(this.doc, each.path, get(restored, each.path))));
        this.#select(ids);
      }, ids.map((each) => pointer("widgets", each)));
    }
    this.#held = new Set();
  }

  #select(ids: string[]): void {
    const there = ids.filter((id) => this.#grid.item(id));
    if (there.length === 0) return;
    this.selection.set(there);
    const [first] = there as [string];
    const item = this.#grid.item(first);
    this.#reveal(first);
    requestAnimationFrame(() => this.#reveal(first)); // by then the canvas is as high as it will be
    const active = document.activeElement;
    // Whoever goes on in a panel keeps the place there.
    if (!(active && (document.getElementById("inspector")?.contains(active) || document.getElementById("palette")?.contains(active)))) item?.focus({ preventScroll: true });
    const at = this.layouts().get(first);
    if (at) announce(words("place", { title: this.titleOf(first), column: at.x + 1, row: at.y + 1, w: at.w, h: at.h }), true);
  }

  /** Scrolls the canvas to a widget, by where it stands in the layout: it may be
   * on its way there. */
  #reveal(id: string): void {
    const at = this.layouts().get(id);
    const canvas = document.getElementById("canvas");
    const item = this.#grid.item(id);
    if (!at || !canvas || !item) return;
    if (smallWindow.matches) { // where the page scrolls
      item.scrollIntoView({ block: "nearest" });
      return;
    }
    const above = canvas.querySelector<HTMLElement>(".canvas-bar")?.offsetHeight ?? 0;
    const gap = 10;
    const top = this.#grid.offsetTop + at.y * rowHeight - above - gap;
    const bottom = this.#grid.offsetTop + (at.y + at.h) * rowHeight - canvas.clientHeight + gap;
    if (canvas.scrollTop > top || bottom > top) canvas.scrollTop = top;
    else if (canvas.scrollTop < bottom) canvas.scrollTop = bottom;
  }

  #selected(): void {
    if (!this.#ready) return;
    this.#marks.show();
    this.#marks.say();
    this.#side.layers();
    this.#presence.tell();
    void this.#inspector.load();
  }

  /** The revision that was seen as a pointer took something up. */
  #taken: number | undefined;

  /** A pointer has let go of a widget. The others of a selection follow it. */
  #dropped(id: string, start: Layouts, end: Layouts): void {
    const tab = this.#tabs.letGo();
    if (tab !== undefined) {
      const ids = this.selection.has(id) ? this.selection.ids : [id];
      this.edit(carry(this.doc, ids, tab));
      announce(words("tab_carried", { title: this.titleOf(id), n: ids.length }), true);
      return;
    }
    const seen = this.#taken;
    const before = this.layouts();
    const [from, to] = [start.get(id), end.get(id)];
    const locked = lockedOf(this.doc);
    const width = this.#grid.columns;
    const others = this.selection.ids.filter((each) => each !== id);
    if (from && to && others.length > 0 && this.selection.has(id) && from.w === to.w && from.h === to.h && this.#device !== "phone") {
      const moves: Layouts = new Map([[id, { ...(before.get(id) ?? to), x: to.x, y: to.y }]]);
      for (const other of others) {
        const at = before.get(other);
        if (at && !locked.has(other)) moves.set(other, { ...at, x: Math.min(Math.max(0, at.x + to.x - from.x), width - at.w), y: Math.max(0, at.y + to.y - from.y) });
      }
      this.place(arrange(before, moves, locked, width) ?? letGo(id, start, end, before, locked, width), [...moves.keys()], seen);
      return;
    }
    if (from && to && from.y !== to.y && from.h === to.h && this.#device === "phone") {
      const next = reorder(id, to, before);
      this.place(same(readingOrder(next), readingOrder(before)) ? before : next, [id], seen);
      return;
    }
    this.place(letGo(id, start, end, before, locked, width), [id], seen);
  }

  // Buttons of the page's head and of the toolbar.

  #click(event: MouseEvent): void {
    const target = event.target instanceof Element ? event.target : null;
    const edit = target?.closest<HTMLElement>("[data-edit]")?.dataset["edit"];
    switch (edit) {
      case "undo":
        this.undo();
        return;
      case "redo":
        this.redo();
        return;
      case "preview":
        this.#preview(!this.hasAttribute("preview"));
        return;
    }
    const device = target?.closest<HTMLElement>("button[data-device]")?.dataset["device"];
    if (device === "desktop" || device === "tablet" || device === "phone") {
      this.#show(device);
      return;
    }
    if (target?.closest("[data-edit-file]")) {
      void editFile(this);
      return;
    }
    const tool = target?.closest<HTMLElement>("[data-tool]")?.dataset["tool"];
    if (tool) this.#tool(tool);
  }

  /** The draft as its viewers will see it. */
  #preview(on: boolean): void {
    if (on) this.selection.set([]);
    this.toggleAttribute("preview", on);
    this.#grid.rest(on);
    for (const button of document.querySelectorAll("[data-edit=preview]")) button.setAttribute("aria-pressed", String(on));
  }

  /** A window too small for the desktop's canvas shows the layout of its own. */
  #fit(): void {
    const fit = (): void => this.#show(phoneWindow.matches ? "phone" : smallWindow.matches ? "tablet" : "desktop");
    for (const query of [phoneWindow, smallWindow]) query.addEventListener("change", fit, { signal: this.signal });
    fit();
  }

  #show(device: Device): void {
    this.#device = device;
    const canvas = document.getElementById("canvas");
    if (canvas) canvas.dataset["device"] = device;
    // Not by body:has(): each change of a text in the canvas would then have the
    // browser compute the styles of the whole page, which a drag would feel.
    for (const note of document.querySelectorAll<HTMLElement>(".grid-note")) note.hidden = device !== "desktop";
    for (const button of document.querySelectorAll<HTMLElement>("button[data-device]")) button.setAttribute("aria-pressed", String(button.dataset["device"] === device));
    this.#draw();
  }

  #tool(tool: string): void {
    const { ids, first } = this.selection;
    if (first === undefined) return;
    const how = alignments[tool];
    if (how) {
      const now = this.layouts();
      const wanted = align(now, ids, how, this.#grid.columns);
      const next = wanted && arrange(now, wanted, lockedOf(this.doc), this.#grid.columns);
      const moved = next ? ids.filter((id) => !same({ ...now.get(id) }, { ...next.get(id) })).length : 0;
      if (next && moved > 0) {
        this.place(next, ids);
        announce(words("arranged", { n: moved }), true);
      } else {
        toast(words(wanted ? "arranged_none" : `no_room_${how}`));
      }
      return;
    }
    switch (tool) {
      case "duplicate":
        this.act({ kind: "duplicate", widgets: [...ids] });
        return;
      case "move":
        this.#keys.pick(first);
        return;
      case "lock": {
        const locked = lockedOf(this.doc);
        const all = ids.every((id) => locked.has(id));
        this.edit(ids.map((id) => setting(this.doc, pointer("widgets", id, "locked"), all ? undefined : true)));
        return;
      }
      case "code":
        this.#editText(first);
        return;
      case "delete":
        this.removeWidgets(ids);
        return;
    }
  }

  /** A widget as text. The server says what is wrong with it. */
  #editText(id: string): void {
    const dialog = document.getElementById("edit-text");
    const form = dialog?.querySelector("form");
    const area = dialog?.querySelector("textarea");
    const problem = document.getElementById("edit-text-error");
    const widget = get(this.doc, pointer("widgets", id));
    if (!(dialog instanceof HTMLDialogElement) || !form || !area || widget === undefined) return;
    area.value = JSON.stringify(widget, null, 2);
    if (problem) problem.hidden = true;
    const ended = new AbortController();
    dialog.addEventListener("close", () => ended.abort(), { signal: ended.signal });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      event.stopPropagation();
      try {
        const next = JSON.parse(area.value) as Json;
        dialog.close();
        // Only what was changed in the text: others may have changed the rest meanwhile.
        this.edit(diff(widget, next, pointer("widgets", id)).map((each) => setting(this.doc, each.path, each.after)));
      } catch (error) {
        if (!problem || !(error instanceof SyntaxError)) throw error;
        problem.textContent = words("not_json", { problem: error.message });
        problem.hidden = false;
      }
    }, { signal: ended.signal, capture: true });
    dialog.showModal();
    area.setSelectionRange(0, 0);
    area.focus();
    area.scrollTop = 0;
  }

  undo(): void {
    void this.#reverse("undo");
  }

  redo(): void {
    void this.#reverse("redo");
  }

  async #reverse(which: "undo" | "redo", way: Way = "ask"): Promise<void> {
    const { canUndo, canRedo } = this.#sync.history;
    if (which === "undo" ? !canUndo : !canRedo) return;
    this.#overtaken();
    const outcome: Outcome = await (which === "undo" ? this.#sync.undo(way) : this.#sync.redo(way));
    this.#state();
    if (outcome.done) {
      // What was undone is what can be done again, and the other way round.
      const { undo, redo } = this.#sync.history;
      const label = inWords(which === "undo" ? redo : undo);
      if (way === "leave") announce(words("left"), true);
      else if (outcome.nothing) toast(words(`${which === "undo" ? "undone" : "redone"}_nothing`, { label }), "", 15_000);
      else announce(label === "" && which === "undo" ? words("taken_back") : words(which === "undo" ? "undone" : "redone", { label }), true);
    } else if ("conflicts" in outcome) {
      const next = await this.#ask(outcome, which);
      if (next) await this.#reverse(which, next);
    } else if ("sentence" in outcome) {
      if (outcome.sentence) toast(outcome.sentence);
    } else {
      toast(words("undo_failed"), "neg");
    }
  }

  /** Somebody changed the same since: shows it in the server's words, and asks.
   * Closed without a choice, the question stands. */
  #ask({ texts }: Conflicted, which: "undo" | "redo"): Promise<Way | undefined> {
    const dialog = document.getElementById("undo-conflict");
    if (!(dialog instanceof HTMLDialogElement)) return Promise.resolve(undefined);
    dialog.querySelector("[data-conflict-list]")?.replaceChildren(...texts.map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }));
    const suffix = which === "redo" ? "_redo" : "";
    const question = dialog.querySelector("[data-conflict-text]");
    if (question) question.textContent = words(`conflict_text${suffix}`);
    const go = dialog.querySelector("[data-conflict=undo]");
    if (go) go.textContent = words(`conflict_go${suffix}`);
    return new Promise((answer) => {
      const ended = new AbortController();
      const end = (way?: Way): void => {
        ended.abort();
        if (dialog.open) dialog.close();
        answer(way);
      };
      dialog.addEventListener("click", (event) => {
        const choice = (event.target as Element).closest<HTMLElement>("[data-conflict]")?.dataset["conflict"];
        if (choice) end(choice === "undo" ? "force" : "leave");
      }, { signal: ended.signal });
      dialog.addEventListener("close", () => end(), { signal: ended.signal });
      dialog.showModal();
    });
  }

  nameVersion(): void {
    const dialog = document.getElementById("name-version");
    if (!(dialog instanceof HTMLDialogElement)) return;
    const form = dialog.querySelector("form");
    const input = dialog.querySelector<HTMLInputElement>("input[name=name]");
    if (!form || !input) return;
    const ended = new AbortController();
    dialog.addEventListener("close", () => ended.abort(), { signal: ended.signal });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      event.stopPropagation();
      void this.#saveVersion(input.value.trim(), dialog);
    }, { signal: ended.signal, capture: true });
    dialog.showModal();
    input.select();
  }

  async #saveVersion(name: string, dialog: HTMLDialogElement): Promise<void> {
    if (name === "") return;
    // What is on the way belongs to the version.
    await this.#sync.idle();
    try {
      const answer = await fetch(`${this.path}/versions`, { method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify({ name }) });
      if (answer.ok) {
        dialog.close();
        toast(words("version_saved", { name }));
        return;
      }
      const problem = (await answer.json().catch(() => ({}))) as { error?: { message?: string } };
      toast(problem.error?.message ?? words("retrying"), "neg");
    } catch {
      toast(words("undo_failed"), "neg");
    }
  }

  /** Words of the state, and which buttons can do something. */
  #state(): void {
    if (!this.#ready) return;
    const { state, waiting, history, rev } = this.#sync;
    this.dataset["rev"] = String(rev);
    // What is published is what stands here.
    for (const field of document.querySelectorAll<HTMLInputElement>("[data-edit-rev]")) field.value = String(rev);
    const place = document.getElementById("save-state");
    const text = place?.querySelector("[data-save-text]") ?? place;
    if (navigator.onLine && (state.name === "saved" || state.name === "saving")) this.#inspector.retry();
    const offline = state.name === "offline" || (!navigator.onLine && state.name !== "signed_out" && state.name !== "ended");
    const sentence = offline
      ? waiting === 0 ? words("offline_none") : words("offline", { n: waiting })
      : state.name === "saved" ? words("saved", { time: clock(state.at) })
      : state.name === "signed_out" ? words("signed_out", { n: waiting })
      : state.name === "ended" ? words("unsaved_ended", { sentence: state.sentence })
      : words(state.name);
    if (place) place.dataset["state"] = offline ? "offline" : state.name === "retrying" || state.name === "signed_out" || state.name === "ended" ? "error" : state.name;
    if (text && text.textContent !== sentence) text.textContent = sentence;
    const signIn = place?.querySelector<HTMLElement>("[data-save-signin]");
    if (signIn) signIn.hidden = state.name !== "signed_out";
    const button = (name: string, can: boolean, label: string): void => {
      for (const each of document.querySelectorAll<HTMLButtonElement>(`#page-head [data-edit=${name}]`)) {
        each.disabled = !can;
        const known = (each.dataset["name"] ??= (each.getAttribute("aria-label") ?? each.title).replace(/:.*/, ""));
        const full = label ? `${known}: ${label}` : known;
        if (each.title !== full) {
          each.title = full;
          each.setAttribute("aria-label", full);
        }
      }
    };
    const publish = this.#publishButton;
    if (publish) {
      const pending = publish.dataset["pending"] === "true" || waiting > 0;
      publish.classList.toggle("btn-primary", pending);
      publish.title = words(!pending ? "published_same" : Number(publish.dataset["published"]) > 0 ? "publish_pending" : "publish_first");
      const label = publish.querySelector("span");
      const full = pending ? (publish.dataset["label"] ??= label?.textContent ?? "") : words("published");
      if (label && full !== "" && label.textContent !== full) {
        publish.dataset["label"] ??= label.textContent;
        label.textContent = full;
      }
    }
    if (state.name === "ended" && waiting > 0) this.#showUnkept(state.sentence);
    this.#showGhosts(offline);
    button("undo", history.canUndo, inWords(history.undo));
    button("redo", history.canRedo, inWords(history.redo));
  }
}

/** A change as "moving Sales by channel". */
function inWords(deed: Deed | undefined): string {
  if (!deed) return "";
  const { verb, object = "", count = 1 } = deed;
  return count > 1 ? words(`deed_${verb}_many`, { count }) : words(`deed_${verb}`, { object });
}

/** The time of day in the zone of the page. */
function clock(at: string): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "";
  const { zone } = document.documentElement.dataset;
  return new Intl.DateTimeFormat(locale().name, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", ...(zone ? { timeZone: zone } : {}) }).format(date);
}

customElements.define("df-editor", Editor);
