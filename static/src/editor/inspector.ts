// The inspector: forms that the server draws for the selected widget, or for
// the dashboard when none is. Controls say themselves what they change:
//
//   data-path="/title"       a value below the widget
//   data-doc-path="/name"    a value of the dashboard
//   data-type                text, number, bool, json, enum or list (texts,
//                            separated by commas or chosen); empty removes
//   data-off                 what a switch writes that is off; on removes
//   data-act='{"kind":…}'    an act; data-act-set="grain" puts the value into
//                            its set
//   data-well-add="x"        opens a list of fields to add to the well
//   data-inspector-close     selects nothing: closes the sheet of small windows
//
// It is drawn anew after changes, by a morph: what has the focus, and what is
// half typed, stays.
import htmx from "htmx.org";
import type { Act } from "./sync.ts";
import type { Desk } from "./desk.ts";
import { get, isObject, type Json, pointer, same, setting } from "./document.ts";
import { lockedOf } from "./layout.ts";
import { words } from "./words.ts";

type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

const typingPause = 300;

export class Inspector {
  readonly #desk: Desk;
  readonly #root: HTMLElement;
  #asked: AbortController | undefined;
  #typing = 0;
  #shown: string | undefined;
  #tab = "data";
  #list: HTMLElement | undefined;
  /** The text that is being typed: in no document yet. */
  #dirty: Control | undefined;
  /** It was to be drawn anew while the list of fields was open. */
  #late = false;
  /** It could not be drawn. */
  #due = false;

  constructor(desk: Desk, root: HTMLElement) {
    this.#desk = desk;
    this.#root = root;
    const { signal } = desk;
    root.addEventListener("change", (event) => this.#changed(event), { signal });
    root.addEventListener("input", (event) => this.#typed(event), { signal });
    root.addEventListener("click", (event) => this.#click(event), { signal });
    // Acts stand in the filter bar too.
    desk.root.addEventListener("click", (event) => {
      // The second click of a double click would hit what has moved into place.
      if (event.detail > 1) return;
      const button = event.target instanceof Element ? event.target.closest<HTMLElement>("button[data-act], a[data-act]") : null;
      if (!button) return;
      event.preventDefault();
      this.#act(button);
    }, { signal });
    root.addEventListener("keydown", (event) => this.#key(event), { signal });
    // The dialog of groups lies outside of the inspector.
    document.addEventListener("df:groups", ({ detail }) => desk.act(detail.act, detail.outcome), { signal });
    root.addEventListener("submit", (event) => event.preventDefault(), { signal });
    signal.addEventListener("abort", () => this.#asked?.abort());
  }

  /** The widget whose forms these are; none for those of the dashboard. */
  get shown(): string | undefined {
    return this.#shown;
  }

  /** The pointer that what is being typed will be written to. */
  get writing(): string | undefined {
    return this.#dirty?.isConnected ? this.#absolute(this.#dirty) : undefined;
  }

  /** Takes over at once what is being typed. */
  flush(): void {
    clearTimeout(this.#typing);
    if (this.#dirty?.isConnected) this.#write(this.#dirty, this.#shown);
  }

  /** Another widget is selected than the one whose forms these still are. */
  get #stale(): boolean {
    return this.#shown !== this.#desk.selection.first;
  }

  /** What is shown in place of forms while several are selected. */
  get #several(): HTMLElement | null {
    return this.#root.querySelector<HTMLElement>(":scope > .inspector-several");
  }

  /** The server can be asked again. */
  retry(): void {
    if (this.#due) void this.load();
  }

  /** Shows the inspector of what is selected; soon, where only data changed. */
  async load(): Promise<void> {
    const widget = this.#desk.selection.first;
    this.#due = false;
    if (this.#desk.selection.ids.length > 1) {
      this.#share();
      return;
    }
    this.#root.toggleAttribute("data-stale", this.#stale);
    this.#asked?.abort();
    const asked = new AbortController();
    this.#asked = asked;
    const query = new URLSearchParams(widget === undefined ? {} : { widget });
    query.set("tab", this.#tab);
    try {
      const answer = await fetch(`${this.#desk.path}/edit/inspector?${query.toString()}`, { headers: { "HX-Request": "true", "HX-Request-Type": "partial" }, signal: asked.signal });
      if (!answer.ok) {
        this.#missing(widget);
        return;
      }
      const text = await answer.text();
      if (asked.signal.aborted) return;
      const same = this.#shown === widget && this.#several === null;
      if (same && this.#list?.isConnected) {
        this.#late = true;
        return;
      }
      this.#closeList();
      // Another widget's forms are other forms: nothing is carried over.
      const other = !same;
      // What is typed still belongs to the widget before.
      if (other && this.#root.contains(document.activeElement)) {
        const before = this.#shown;
        const removed = before !== undefined && get(this.#desk.doc, pointer("widgets", before)) === undefined;
        (document.activeElement as HTMLElement).blur();
        // By then the focus was left: no field that comes in its place gets it.
        await Promise.resolve();
        if (removed) swallowTyping(this.#desk.signal);
      }
      this.#shown = widget;
      this.#root.toggleAttribute("data-stale", this.#stale);
      if (other) this.#dirty = undefined;
      const open = [...this.#root.querySelectorAll("details")].map((each) => each.open);
      const chosen = document.activeElement instanceof HTMLSelectElement ? document.activeElement.value : undefined;
      await htmx.swap({ text, target: this.#root, sourceElement: this.#root, swap: other ? "innerHTML" : "innerMorph" });
      this.#settle(chosen);
      this.#open(this.#tab);
      this.#stay();
      const blocks = [...this.#root.querySelectorAll("details")];
      if (!other && blocks.length === open.length) blocks.forEach((each, i) => (each.open = open[i] as boolean));
    } catch (error) {
      if (asked.signal.aborted) return; // a newer one took over
      if (!(error instanceof DOMException) && !(error instanceof TypeError)) throw error;
      this.#missing(widget);
    }
  }

  /** The chip that is moved by keys, and where it will be in its well. */
  #follow: { name: string; to: number } | undefined;

  /** Lets the focus go along with the chip that keys have moved. */
  #stay(): void {
    const well = document.activeElement?.closest("[data-chip]")?.parentElement;
    const chip = this.#follow && well?.querySelector<HTMLElement>(`:scope > [data-chip="${String(this.#follow.to)}"]`);
    if (!chip || chip.dataset["name"] !== this.#follow?.name) return;
    this.#follow = undefined;
    chip.focus();
  }

  /** Several are selected: what they share, which needs no server. */
  #share(): void {
    this.#asked?.abort();
    const template = document.getElementById("inspector-several");
    if (this.#several === null && template instanceof HTMLTemplateElement) {
      this.#closeList();
      // What is typed still belongs to the widget before.
      if (this.#root.contains(document.activeElement)) (document.activeElement as HTMLElement).blur();
      this.#shown = undefined;
      this.#dirty = undefined;
      this.#root.replaceChildren(document.importNode(template.content, true));
    }
    this.#root.removeAttribute("data-stale");
    const { selection, doc } = this.#desk;
    const count = this.#root.querySelector("[data-several-count]");
    if (count) count.textContent = words("several", { n: selection.ids.length });
    this.#root.querySelector("[data-several-titles]")?.replaceChildren(...selection.ids.map((id) => {
      const line = document.createElement("li");
      line.textContent = line.title = this.#desk.titleOf(id);
      return line;
    }));
    const locked = lockedOf(doc);
    this.#root.querySelector("[data-tool=lock]")?.setAttribute("aria-pressed", String(selection.ids.every((id) => locked.has(id))));
  }

  /** Without an answer the forms of the same widget stay. Those of another one
   * would write to that one. */
  #missing(widget: string | undefined): void {
    this.#due = true;
    if (this.#shown === widget && this.#root.querySelector("[data-inspector-missing]") === null) return;
    this.#closeList();
    this.#shown = undefined;
    this.#dirty = undefined;
    const note = document.createElement("p");
    note.className = "inspector-missing";
    note.dataset["inspectorMissing"] = "";
    note.setAttribute("role", "status");
    note.textContent = words("inspector_missing");
    this.#root.removeAttribute("data-stale");
    this.#root.replaceChildren(note);
  }

  /** A morph writes attributes; what a person has touched goes by properties.
   * Values show what the document says, which is ahead of the server: whoever
   * goes through a list by the keyboard is not thrown back. chosen: in the list
   * that has the focus. */
  #settle(chosen: string | undefined): void {
    for (const control of this.#root.querySelectorAll<Control>("input, select, textarea")) {
      if (control instanceof HTMLSelectElement && control.multiple) {
        if (control !== document.activeElement) for (const option of control.options) option.selected = option.defaultSelected;
      } else if (control instanceof HTMLSelectElement) {
        const path = this.#absolute(control);
        const said = [...control.options].find((option) => option.defaultSelected)?.value;
        const value = path !== undefined ? optionOf(control, get(this.#desk.doc, path)) ?? said : control === document.activeElement ? chosen ?? said : said;
        if (value !== undefined && control.value !== value) control.value = value;
      } else if (control instanceof HTMLInputElement && (control.type === "checkbox" || control.type === "radio")) {
        control.checked = control.defaultChecked;
      } else if (control !== this.#dirty) {
        const path = this.#absolute(control);
        const value = path === undefined ? undefined : get(this.#desk.doc, path);
        const text = typeof value === "string" || typeof value === "number" ? String(value) : control.defaultValue;
        if (control.value !== text) control.value = text;
      }
    }
  }

  /** The pointer that a control writes to. */
  #absolute(control: HTMLElement): string | undefined {
    const { docPath, path } = control.dataset;
    if (docPath !== undefined) return docPath;
    return path === undefined || this.#shown === undefined ? undefined : pointer("widgets", this.#shown) + path;
  }

  #open(tab: string): void {
    const tabs = [...this.#root.querySelectorAll<HTMLElement>("[data-inspector-tab]")];
    const chosen = tabs.find((each) => each.dataset["inspectorTab"] === tab) ?? tabs[0];
    for (const each of tabs) {
      const on = each === chosen;
      each.setAttribute("aria-selected", String(on));
      each.tabIndex = on ? 0 : -1;
      const panel = document.getElementById(each.getAttribute("aria-controls") ?? "");
      if (panel) panel.hidden = !on;
    }
  }

  #typed(event: Event): void {
    const control = event.target;
    clearTimeout(this.#typing);
    if (!(control instanceof HTMLInputElement || control instanceof HTMLTextAreaElement)) return;
    if (!pathOf(control) || control.type === "checkbox" || control.type === "radio" || this.#stale) return;
    this.#dirty = control;
    if ((control.dataset["type"] ?? "text") !== "text") return;
    const widget = this.#shown;
    this.#typing = setTimeout(() => this.#write(control, widget), typingPause);
  }

  #changed(event: Event): void {
    const control = event.target;
    if (!(control instanceof HTMLInputElement || control instanceof HTMLSelectElement || control instanceof HTMLTextAreaElement)) return;
    clearTimeout(this.#typing);
    const typed = !(control instanceof HTMLSelectElement) && control.type !== "checkbox" && control.type !== "radio";
    // What was sent while typing is not sent again when the field is left:
    // somebody else may have changed it since.
    if (typed && pathOf(control) && control !== this.#dirty) return;
    // What was typed before another widget was selected is still written.
    if (this.#stale && control !== this.#dirty) return;
    if (control.dataset["act"] !== undefined) this.#act(control, control.value);
    else this.#write(control, this.#shown);
  }

  #write(control: Control, widget: string | undefined): void {
    const path = pathOf(control);
    if (!path) return;
    const value = valueOf(control);
    if (value === invalid) {
      control.setAttribute("aria-invalid", "true");
      return;
    }
    control.removeAttribute("aria-invalid");
    if (this.#dirty === control) this.#dirty = undefined;
    const { docPath } = control.dataset;
    if (docPath !== undefined) this.#desk.edit([setting(this.#desk.doc, docPath, value)]);
    else if (widget !== undefined) this.#desk.set(widget, path, value);
  }

  #act(source: HTMLElement, value?: string): void {
    if (this.#stale && this.#root.contains(source)) return;
    const act = JSON.parse(source.dataset["act"] ?? "{}") as Act;
    const name = source.dataset["actSet"];
    if (name !== undefined && value !== undefined) {
      const given = isObject(act["set"]) ? act["set"] : {};
      act["set"] = { ...given, [name]: source instanceof HTMLInputElement && source.type === "checkbox" ? source.checked : value };
    }
    const widget = this.#root.contains(source) ? this.#shown : undefined;
    this.#desk.act(widget === undefined || act.kind.endsWith("_control") ? act : { widget, ...act });
  }

  #click(event: MouseEvent): void {
    const target = event.target as Element;
    const tab = target.closest<HTMLElement>("[data-inspector-tab]");
    if (tab) {
      this.#tab = tab.dataset["inspectorTab"] ?? "data";
      this.#open(this.#tab);
      return;
    }
    if (target.closest("[data-inspector-close]")) {
      this.#desk.selection.set([]);
      return;
    }
    if (this.#stale) return;
    const add = target.closest<HTMLElement>("[data-well-add]");
    if (add) {
      this.#choose(add);
      return;
    }
    // A button with a path sets the value that it stands for (colours).
    const choice = target.closest<HTMLButtonElement>("button[data-path], button[data-doc-path]");
    if (!choice) return;
    const path = choice.dataset["docPath"] ?? (this.#shown === undefined ? "" : `${pointer("widgets", this.#shown)}${choice.dataset["path"] ?? ""}`);
    if (!path) return;
    const value = parse(choice.value, choice.dataset["type"] ?? "text");
    // Pressed again, it goes.
    const now = get(this.#desk.doc, path);
    this.#desk.edit([setting(this.#desk.doc, path, value === invalid || now === value ? undefined : value)]);
  }

  #key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    const tab = target.closest<HTMLElement>("[data-inspector-tab]");
    if (tab && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      const tabs = [...this.#root.querySelectorAll<HTMLElement>("[data-inspector-tab]")];
      const next = tabs[(tabs.indexOf(tab) + (event.key === "ArrowRight" ? 1 : -1) + tabs.length) % tabs.length];
      event.preventDefault();
      next?.click();
      next?.focus();
      return;
    }
    const chip = target.closest<HTMLElement>("[data-chip]");
    if (!chip || this.#stale || target.matches("input, select, textarea")) return;
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      event.stopPropagation();
      chip.querySelector<HTMLElement>("[data-act*=remove_]")?.click();
    } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      const index = Number(chip.dataset["chip"]);
      const to = index + (event.key === "ArrowDown" ? 1 : -1);
      const well = chip.closest<HTMLElement>("[data-well], [data-hierarchy]");
      if (!well || to < 0 || to >= well.querySelectorAll("[data-chip]").length) return;
      const { hierarchy } = well.dataset;
      const where = { index, expect: chip.dataset["name"] ?? "", to };
      if (hierarchy === undefined && this.#shown === undefined) return;
      event.preventDefault();
      this.#follow = { name: where.expect, to };
      if (hierarchy !== undefined) this.#desk.act({ kind: "move_level", id: hierarchy, ...where });
      else this.#desk.act({ kind: "move_field", widget: this.#shown ?? "", well: well.dataset["well"] ?? "", ...where });
    }
  }

  /** A list of the fields, to choose one for a well. */
  #choose(button: HTMLElement): void {
    const well = button.dataset["wellAdd"] ?? "";
    const widget = this.#shown;
    const fields = [...document.querySelectorAll<HTMLElement>("#fields [data-field]")];
    this.#closeList();
    if (widget === undefined) return;
    const list = document.createElement("div");
    list.className = "pop menu-pop field-choices";
    list.id = "field-choices";
    list.popover = "auto";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", words("choose_field"));
    for (const field of fields) {
      const option = field.cloneNode(true) as HTMLElement;
      option.removeAttribute("draggable");
      option.removeAttribute("id");
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.tabIndex = -1;
      option.classList.add("menu-item");
      list.append(option);
    }
    if (fields.length === 0) list.textContent = words("no_fields");
    const choose = (option: HTMLElement): void => {
      const { dataset, field } = option.dataset;
      list.hidePopover();
      button.focus();
      this.#desk.act({ kind: "drop_field", widget, well, field: field ?? "", ...(dataset ? { dataset } : {}) });
    };
    list.addEventListener("click", (event) => {
      const option = (event.target as Element).closest<HTMLElement>("[data-field]");
      event.stopPropagation();
      if (option) choose(option);
    });
    let typed = "";
    let typedAt = 0;
    list.addEventListener("keydown", (event) => {
      const options = [...list.querySelectorAll<HTMLElement>("[data-field]")];
      const at = options.indexOf(document.activeElement as HTMLElement);
      const go = (index: number): void => options[(index + options.length) % options.length]?.focus();
      event.stopPropagation();
      if (event.key === "ArrowDown") go(at + 1);
      else if (event.key === "ArrowUp") go(at < 0 ? -1 : at - 1);
      else if (event.key === "Home") go(0);
      else if (event.key === "End") go(-1);
      else if ((event.key === "Enter" || event.key === " ") && at >= 0) choose(options[at] as HTMLElement);
      else if (event.key === "Tab") list.hidePopover();
      else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) {
        typed = event.timeStamp - typedAt < 700 ? typed + event.key.toLowerCase() : event.key.toLowerCase();
        typedAt = event.timeStamp;
        [...options.slice(Math.max(0, typed.length > 1 ? at : at + 1)), ...options].find((each) => each.textContent.trim().toLowerCase().startsWith(typed))?.focus();
      } else return;
      event.preventDefault();
    });
    list.addEventListener("toggle", (event) => {
      if ((event as ToggleEvent).newState !== "closed") return;
      list.remove();
      if (this.#late) void this.load();
      this.#late = false;
    });
    this.#root.append(list);
    this.#list = list;
    // Beside the inspector rather than over its wells.
    const box = button.getBoundingClientRect();
    list.showPopover();
    const { width, height } = list.getBoundingClientRect();
    Object.assign(list.style, { inset: "auto", margin: "0", positionArea: "none", left: `${String(Math.max(8, Math.min(box.left, innerWidth - width - 8)))}px`, top: `${String(Math.max(8, Math.min(box.bottom + 4, innerHeight - height - 8)))}px` });
    list.querySelector<HTMLElement>("[data-field]")?.focus();
  }

  #closeList(): void {
    if (this.#list?.isConnected) this.#list.remove();
    this.#list = undefined;
  }
}

function pathOf(control: HTMLElement): string | undefined {
  return control.dataset["docPath"] ?? control.dataset["path"];
}

const invalid = Symbol("invalid");

function valueOf(control: Control): Json | undefined | typeof invalid {
  const { type = "text" } = control.dataset;
  if (control instanceof HTMLInputElement && control.type === "checkbox") {
    // Of the two, only the one that is not the rule is written down.
    const { off } = control.dataset;
    if (off !== undefined) return control.checked ? undefined : parse(off, type);
    return control.checked ? true : undefined;
  }
  if (control instanceof HTMLInputElement && control.type === "radio" && !control.checked) return invalid;
  if (control instanceof HTMLSelectElement && control.multiple) return some([...control.selectedOptions].map((option) => option.value));
  return parse(control.value, type);
}

/** The value of the option that stands for what a document holds. */
function optionOf(control: HTMLSelectElement, value: Json | undefined): string | undefined {
  const { type = "text" } = control.dataset;
  return [...control.options].find((option) => {
    const own = parse(option.value, type);
    return own !== invalid && same(own, value);
  })?.value;
}

/** A list without empty texts; none where nothing is left. */
function some(list: string[]): Json | undefined {
  const full = list.filter((each) => each !== "");
  return full.length > 0 ? full : undefined;
}

function parse(text: string, type: string): Json | undefined | typeof invalid {
  if (text === "") return undefined;
  switch (type) {
    case "number": {
      const number = Number(text);
      return Number.isFinite(number) ? number : invalid;
    }
    case "bool":
      return text === "true";
    case "list":
      return some(text.split(",").map((each) => each.trim()));
    case "json":
      try {
        return JSON.parse(text) as Json;
      } catch {
        return invalid;
      }
    default:
      return text;
  }
}

/** Lets what somebody goes on to type, whose field was taken away, go nowhere:
 * not into another field, and no shortcut of the page. Ends with a pause. */
function swallowTyping(signal: AbortSignal): void {
  const ended = new AbortController();
  const pause = (): ReturnType<typeof setTimeout> => setTimeout(() => ended.abort(), 1000);
  let timer = pause();
  // Before all others hear of it: their listeners stand on the document.
  window.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || (event.key.length > 1 && event.key !== "Backspace" && event.key !== "Delete" && event.key !== "Enter")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    clearTimeout(timer);
    timer = pause();
  }, { capture: true, signal: AbortSignal.any([signal, ended.signal]) });
}
