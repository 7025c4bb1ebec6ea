// <df-pages src="/document" pages="3" label="Page {page} of {pages} · A4"
//   name="Page {page} of {pages} of Sales" text-offline text-refused text-failed>:
// the pages of a document, one at a time. The page brings a picture of what the
// first begins with in a link; the first page itself takes its place once the
// document is loaded, and what draws it. Where it can't be had, or is large, the
// picture stays until somebody turns.
//
//   [data-turn="1"]   turns on, "-1" back; disabled where there is no page
//   arrows, Home, End do the same while the keyboard stands on one of its parts
//   [role=status]     says which page is shown
//   [role=alert]      says why another one is not: what is shown stays
import { pageText, turned } from "./paging.ts";
import type { Pdf } from "./parts/pdf.ts";

/** Why there is no page, in a sentence for people. */
class Unread extends Error {}

/** What is loaded at most before anybody turns. */
const mostUnasked = 5e6;

/** How far the keys turn. */
const keys: { [key: string]: number } = { ArrowLeft: -1, ArrowRight: 1, PageUp: -1, PageDown: 1, Home: -Infinity, End: Infinity };

class Pages extends HTMLElement {
  #ended: AbortController | undefined;
  #pdf: Promise<Pdf> | undefined;
  #pages = 0;
  #shown = 1;
  #wanted = 1;
  #turns = 0; // the last of them is the one that counts
  #resized: number | undefined;

  connectedCallback(): void {
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    this.#pages ||= Number(this.getAttribute("pages"));
    for (const button of this.#buttons) {
      button.addEventListener("click", () => this.#turn(Number(button.dataset["turn"])), { signal });
    }
    this.addEventListener("keydown", (event) => {
      const by = keys[event.key];
      if (by === undefined || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.#turn(by);
    }, { signal });
    window.addEventListener("resize", () => {
      clearTimeout(this.#resized);
      this.#resized = window.setTimeout(() => {
        if (this.#canvas) void this.#show();
      }, 200);
    }, { signal });
    this.#update();
    if (this.#pages > 0 && !this.#canvas) void this.#show(false);
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
    clearTimeout(this.#resized);
    // What is only moved to another place is there again at once.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#turns++;
      this.#pdf?.then((pdf) => pdf.close(), () => undefined);
      this.#pdf = undefined;
    });
  }

  get #buttons(): HTMLButtonElement[] {
    return [...this.querySelectorAll<HTMLButtonElement>("button[data-turn]")];
  }

  get #sheet(): HTMLAnchorElement | null {
    return this.querySelector("a");
  }

  get #canvas(): HTMLCanvasElement | null {
    return this.querySelector("canvas");
  }

  #turn(by: number): void {
    const wanted = turned(this.#wanted, by, this.#pages);
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.#update();
    void this.#show();
  }

  /** Draws the page that is wanted. Of several turns the last one counts; of what
   *  nobody asked for nothing is said. */
  async #show(asked = true): Promise<void> {
    const turn = ++this.#turns;
    const sheet = this.#sheet;
    if (!sheet) return;
    this.#explain("");
    this.toggleAttribute("turning", asked);
    try {
      const pdf = await this.#read(asked);
      this.#pages = pdf.pages;
      this.#wanted = turned(this.#wanted, 0, pdf.pages);
      const canvas = await pdf.draw(this.#wanted, sheet.clientWidth);
      if (turn !== this.#turns) return;
      this.#shown = this.#wanted;
      this.#put(sheet, canvas);
    } catch (error) {
      if (turn !== this.#turns) return;
      this.#wanted = this.#shown;
      if (asked) this.#explain(error instanceof Unread ? error.message : (this.getAttribute("text-failed") ?? ""));
      if (!(error instanceof Unread)) console.warn(error);
    }
    this.toggleAttribute("turning", false);
    this.#update();
  }

  #put(sheet: HTMLAnchorElement, canvas: HTMLCanvasElement): void {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", pageText(this.getAttribute("name") ?? "", this.#shown, this.#pages));
    for (const each of [...sheet.children]) {
      if (each instanceof HTMLCanvasElement) each.remove();
      else if (each instanceof HTMLElement) each.hidden = true;
    }
    sheet.append(canvas);
    sheet.href = `${this.getAttribute("src") ?? ""}#page=${this.#shown}`;
  }

  /** Loads the document and what draws it, once. Whoever asks has it loaded even if
   *  it was too large, or not to be had, before. */
  #read(asked: boolean): Promise<Pdf> {
    const begun = this.#pdf;
    if (begun) return asked ? begun.catch(() => this.#begin(begun, true)) : begun;
    return this.#begin(undefined, asked);
  }

  #begin(failed: Promise<Pdf> | undefined, asked: boolean): Promise<Pdf> {
    if (this.#pdf && this.#pdf !== failed) return this.#pdf; // another turn was first
    const pdf = this.#load(asked).then(async (data) => (await this.#code()).read(data));
    this.#pdf = pdf;
    pdf.catch(() => {
      if (this.#pdf === pdf) this.#pdf = undefined; // the next turn tries again
    });
    return pdf;
  }

  async #code(): Promise<typeof import("./parts/pdf.ts")> {
    try {
      return await import("./parts/pdf.ts");
    } catch {
      throw new Unread(this.getAttribute("text-offline") ?? "");
    }
  }

  async #load(asked: boolean): Promise<ArrayBuffer> {
    let answer: Response;
    let data: ArrayBuffer;
    try {
      // Nobody has asked for a download yet: on record it is a look.
      answer = await fetch((this.getAttribute("src") ?? "") + (asked ? "" : "?look"), { headers: { Accept: "application/json, application/pdf" }, cache: "no-store" });
      if (!asked && Number(answer.headers.get("Content-Length")) > mostUnasked) {
        await answer.body?.cancel();
        throw new Unread();
      }
      data = await answer.clone().arrayBuffer();
    } catch (error) {
      throw error instanceof Unread ? error : new Unread(this.getAttribute("text-offline") ?? "");
    }
    if (answer.ok && answer.headers.get("Content-Type") === "application/pdf") return data;
    // The server says in a sentence what is wrong.
    const said: unknown = await answer.json().catch(() => undefined);
    const text = (said as { error?: { message?: unknown } } | undefined)?.error?.message;
    throw new Unread(typeof text === "string" ? text : (this.getAttribute("text-refused") ?? ""));
  }

  #explain(text: string): void {
    const place = this.querySelector("[role=alert]");
    if (place) place.textContent = text;
  }

  /** Says which page is shown, and to which others one can turn. */
  #update(): void {
    const said = this.querySelector("[role=status]");
    const text = pageText(this.getAttribute("label") ?? "", this.#shown, this.#pages);
    if (said && said.textContent !== text) said.textContent = text;
    const buttons = this.#buttons;
    const focused = buttons.find((button) => button === document.activeElement);
    for (const button of buttons) button.disabled = turned(this.#wanted, Number(button.dataset["turn"]), this.#pages) === this.#wanted;
    // At an end the keyboard stands on the way back.
    if (focused?.disabled) buttons.find((button) => !button.disabled)?.focus();
  }
}

customElements.define("df-pages", Pages);
