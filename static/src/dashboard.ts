// <df-dashboard path="/dashboards/ID">: what a dashboard's page does by itself.
// The choices live in the URL; a change asks for the same path with other
// choices and gets one answer with all that changed (hx-partial), so this
// element makes URLs and nothing else:
//
//   df:select          toggles a mark: x.WIDGET of the URL; add keeps others
//   [data-mark]        the same for legends and rows of tables
//   [data-set=NAME]    sets one choice: data-value, or that of its link
//   [data-clear=x]     takes all choices of a letter away
//   [data-copy=PATH]   copies a link
//   [data-load=PATH]   of a popover: asks for its content when it opens
//   df:choose          takes the choices of its detail's query, and calls done after
//   df:range           sets the date range to its detail
//   df:versions        asks for what changed, once, after a short random wait
//   [data-key-refresh], [data-refresh]   the same at once
//   Back and Forward   ask for the choices of that entry
//
// Every request of the page says which widgets it has (Df-Have) and which
// moment it shows (Df-Snapshot); a refresh leaves the moment out. An answer 410
// says that the moment is no longer kept: the page moves on by itself.
import htmx from "htmx.org";
import { toast } from "./toast.ts";
import { transport } from "./transport.ts";

interface Selected {
  widget: string;
  mark: string;
  add: boolean;
}

interface RequestContext {
  sourceElement?: Element;
  target: Element;
  swap: string;
  request: { headers: Record<string, string>; action: string; method: string };
  response?: { status: number };
}

/** How long a page waits at most before it asks, so that many open pages do
 * not ask at once, and how long it rests between two refreshes. */
const jitter = 250;
const rest = 900;

class Dashboard extends HTMLElement {
  #ended: AbortController | undefined;
  #timer = 0;
  #asked = 0;

  connectedCallback(): void {
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    for (const skeleton of this.querySelectorAll(".dash > .wait")) skeleton.remove();
    this.addEventListener("df:select", (event) => this.#toggle((event as CustomEvent<Selected>).detail), { signal });
    this.addEventListener("df:versions", (event) => this.#versions((event as CustomEvent<{ at: string; rev: number; sees: string }>).detail), { signal });
    document.addEventListener("click", (event) => this.#click(event), { signal });
    document.addEventListener("toggle", (event) => this.#opened(event), { signal, capture: true });
    document.addEventListener("htmx:config:request", (event) => this.#config((event as CustomEvent<{ ctx: RequestContext }>).detail.ctx), { signal });
    document.addEventListener("htmx:before:response", (event) => this.#answered(event as CustomEvent<{ ctx: RequestContext }>), { signal });
    document.addEventListener("htmx:after:swap", () => this.#swapped(), { signal });
    document.addEventListener("htmx:before:history:restore", (event) => this.#restore(event), { signal });
    // What can be done with marks comes after the page: nothing is drawn by it.
    import("./parts/marks.ts").then(({ listen }) => listen(this, signal)).catch((error: unknown) => console.error(error));
    // So do comments: their numbers are no part of the page.
    import("./parts/comments.ts").then(({ listen }) => listen(this, signal)).catch((error: unknown) => console.error(error));
    import("./parts/alerts.ts").then(({ listen }) => listen(this, signal)).catch((error: unknown) => console.error(error));
    this.addEventListener("df:choose", (event) => {
      const { query, done } = (event as CustomEvent<{ query: string; done: () => void }>).detail;
      void this.#go(query).then(done);
    }, { signal });
    this.addEventListener("df:range", (event) => {
      const query = new URLSearchParams(location.search);
      query.set("d", (event as CustomEvent<string>).detail);
      for (const page of [...query.keys()].filter((each) => each.startsWith("p."))) query.delete(page);
      void this.#go(query);
    }, { signal });
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
    clearTimeout(this.#timer);
  }

  get #path(): string {
    return this.getAttribute("path") ?? location.pathname;
  }

  get #meta(): DOMStringMap {
    return this.querySelector<HTMLElement>("#dash-meta")?.dataset ?? {};
  }

  /** Asks for the page under other choices; what was asked before is given up. */
  async #go(query: URLSearchParams | string): Promise<void> {
    const text = query.toString();
    await htmx.ajax("GET", text ? `${this.#path}?${text}` : this.#path, { source: this, target: "#dash", swap: "none" });
  }

  #toggle({ widget, mark, add }: Selected): void {
    const query = new URLSearchParams(location.search);
    const name = `x.${widget}`;
    // "," alone stands for one empty mark.
    const text = query.get(name);
    const marks = text === null || text === "" ? [] : text === "," ? [""] : text.split(",");
    // An area that is written in several ways has a mark for each.
    const meant = mark.split(",");
    const had = meant.every((each) => marks.includes(each));
    const next = add ? (had ? marks.filter((each) => !meant.includes(each)) : [...new Set([...marks, ...meant])]) : had && marks.length === meant.length ? [] : meant;
    if (next.length === 0) query.delete(name);
    else query.set(name, next.length === 1 && next[0] === "" ? "," : next.join(","));
    for (const page of [...query.keys()].filter((each) => each.startsWith("p."))) query.delete(page);
    void this.#go(query);
  }

  #click(event: MouseEvent): void {
    const target = event.target instanceof Element ? event.target : null;
    if (!target || event.button !== 0) return;
    // htmx has taken the click by now: the dialog only has to be there.
    const opens = target.closest<HTMLElement>("[data-opens]")?.dataset["opens"];
    if (opens && !event.ctrlKey && !event.metaKey) {
      const dialog = document.getElementById(`${opens}-dialog`);
      if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
      // The menu that it was chosen in has done its work.
      target.closest<HTMLElement>("[popover]")?.hidePopover();
      return;
    }
    if (event.defaultPrevented) return;
    if (target.closest("[data-key-refresh], [data-refresh]")) {
      void this.#refresh();
      return;
    }
    const full = target.closest<HTMLElement>("[data-full-screen]")?.dataset["fullScreen"];
    if (full) {
      void document.getElementById(full)?.requestFullscreen();
      return;
    }
    const page = target.closest<HTMLAnchorElement>("[data-table-page]");
    if (page) {
      event.preventDefault();
      const rows = page.closest("#explain-rows") !== null;
      void htmx.ajax("GET", page.getAttribute("href") ?? "", { source: this, target: rows ? "#explain-rows" : "#dash-table", swap: rows ? "outerHTML" : "innerHTML" });
      return;
    }
    // With a modifier a link opens elsewhere, as links do.
    if (event.ctrlKey || event.metaKey) return;
    const mark = target.closest<HTMLElement>("[data-mark]");
    const widget = mark?.closest<HTMLElement>("[data-widget]")?.dataset["widget"];
    if (mark && widget && this.contains(mark)) {
      event.preventDefault();
      this.#toggle({ widget, mark: mark.dataset["mark"] ?? "", add: event.shiftKey });
      return;
    }
    const set = target.closest<HTMLElement>("[data-set]");
    if (set) {
      const name = set.dataset["set"] ?? "";
      const value = set.dataset["value"] ?? new URL(set.getAttribute("href") ?? "", location.href).searchParams.get(name);
      event.preventDefault();
      this.#set(name, value);
      return;
    }
    const copy = target.closest<HTMLElement>("[data-copy]");
    if (copy) {
      void navigator.clipboard.writeText(new URL(copy.dataset["copy"] ?? "", location.href).href).then(() => toast(copy.dataset["copied"] ?? ""));
      return;
    }
    const clear = target.closest<HTMLElement>("[data-clear]")?.dataset["clear"];
    if (clear) {
      const query = new URLSearchParams(location.search);
      for (const name of [...query.keys()].filter((each) => each.startsWith(`${clear}.`))) query.delete(name);
      void this.#go(query);
    }
  }

  #set(name: string, value: string | null): void {
    const query = new URLSearchParams(location.search);
    // Exact answers are a list of widgets.
    if (name === "e" && value) value = [...new Set([...(query.get("e")?.split(",") ?? []), value])].join(",");
    if (value === null || (name.startsWith("p.") && value === "1")) query.delete(name);
    else query.set(name, value);
    // Up or down in a widget: what was selected in it was of another level.
    if (name.startsWith("l.")) {
      query.delete(`x.${name.slice(2)}`);
      query.delete(`p.${name.slice(2)}`);
      if (!value) query.delete(name);
    }
    if (name.startsWith("s.")) query.delete(`p.${name.slice(2)}`);
    void this.#go(query);
  }

  /** The values of a filter are asked for when it is opened the first time. */
  #opened(event: Event): void {
    const pop = event.target instanceof HTMLElement ? event.target : null;
    if ((event as ToggleEvent).newState !== "open") return;
    const load = pop?.dataset["load"];
    if (pop && load) {
      void htmx.ajax("GET", load + location.search, { source: pop, target: pop.firstElementChild as HTMLElement, swap: "outerHTML" });
      return;
    }
    if (!pop?.matches(".filter-pop") || pop.dataset["loaded"]) return;
    pop.dataset["loaded"] = "1";
    pop.querySelector("[data-options-url]")?.dispatchEvent(new Event("input"));
  }

  #config(ctx: RequestContext): void {
    const { headers, action } = ctx.request;
    const url = new URL(action, location.href);
    if (url.pathname !== this.#path && !url.pathname.startsWith(`${this.#path}/`)) return;
    const { snapshot } = this.#meta;
    if (snapshot && !headers["Df-Fresh"]) headers["Df-Snapshot"] = snapshot;
    if (url.pathname === this.#path) {
      headers["Df-Have"] = [...this.querySelectorAll<HTMLElement>("[data-widget][data-key]")]
        .map(({ dataset }) => `${dataset["widget"] ?? ""}=${dataset["key"] ?? ""}`)
        .join(",");
    }
  }

  #answered(event: CustomEvent<{ ctx: RequestContext }>): void {
    const { request, response, target, swap } = event.detail.ctx;
    const url = new URL(request.action, location.href);
    const moment = request.headers["Df-Snapshot"];
    if (response?.status !== 410 || request.method !== "GET" || !moment) return;
    event.preventDefault();
    const own = url.pathname === this.#path;
    // The queue is free again once this request has ended.
    setTimeout(async () => {
      await this.#refresh(own ? url.search.slice(1) : undefined);
      if (own || this.#meta["snapshot"] === moment) return;
      // What was asked of the moment that is gone is asked of the new one.
      url.searchParams.delete("at");
      await htmx.ajax("GET", url.pathname + url.search, { source: this, target, swap });
    });
  }

  /** What came in morphed: filters that were added open, focus stays. */
  #swapped(): void {
    const added = document.querySelector<HTMLElement>("df-filter[data-open]");
    if (!added) return;
    added.removeAttribute("data-open");
    // Not before the menu that it was chosen in has closed and given the focus
    // back.
    setTimeout(() => added.querySelector<HTMLElement>("[popover]")?.showPopover(), 50);
  }

  #versions({ at, rev, sees }: { at: string; rev: number; sees: string }): void {
    const { snapshot, rev: shown, sees: seen } = this.#meta;
    if ((shown !== undefined && Number(shown) !== rev) || (seen !== undefined && seen !== sees)) {
      // The dashboard itself is another, or other rows may be seen now: its
      // frame changed too.
      transport.reload();
      return;
    }
    if (at === (snapshot ?? "") || this.#timer) return;
    const wait = Math.max(Math.random() * jitter, this.#asked + rest - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      void this.#refresh(undefined, true);
    }, wait);
  }

  /** Asks for what changed, as of now. It waits for what a person asked, and
   * gives way to what a person asks (hx-sync of the button). What the page asks
   * of itself does not count as somebody being there. */
  async #refresh(query = location.search.slice(1), unattended = false): Promise<void> {
    const source = this.querySelector<HTMLElement>("[data-key-refresh]");
    if (!source) return;
    this.#asked = performance.now();
    this.setAttribute("aria-busy", "true");
    const path = query ? `${this.#path}?${query}` : this.#path;
    await htmx.ajax("GET", path, { source, target: "#dash", swap: "none", headers: { "Df-Fresh": "1", ...(unattended ? { "Df-Unattended": "1" } : {}) } });
    this.removeAttribute("aria-busy");
  }

  /** Back and Forward between choices of this page need no new page. */
  #restore(event: Event): void {
    if (location.pathname !== this.#path) return;
    event.preventDefault();
    void this.#go(location.search.slice(1));
  }
}

customElements.define("df-dashboard", Dashboard);
