// Comments of a dashboard. The number of open threads is asked for once the
// page is there, and again when somebody says something: it is no part of what
// is kept of the page. The panel at the side holds threads of a widget or of
// the whole dashboard.
//
//   [data-comments=WIDGET]     opens the panel ("" for all)
//   textarea[data-mentions]    "@" lists whom a comment can name (mentions.ts)
//   df:comments                asks for numbers and the open panel anew; what is
//                              being written stays
//
// Where no stream tells that something was said (the dashboard is not live, or
// paused), the open panel looks every few seconds.
import htmx from "htmx.org";
import { announce } from "../page.ts";
import { toast } from "../toast.ts";

const lookEvery = 8_000; // milliseconds

export function listen(root: HTMLElement, signal: AbortSignal): void {
  const panel = document.getElementById("comments");
  const dialog = document.getElementById("comments-dialog");
  if (!panel || !(dialog instanceof HTMLDialogElement)) return;
  const drafts = new Drafts(panel);
  const marks = document.createElement("template");
  const ask = async (): Promise<void> => {
    const answer = await fetch(panel.dataset["marks"] ?? "", { headers: { "HX-Request": "true", "HX-Request-Type": "partial" }, signal });
    if (!answer.ok) return;
    marks.innerHTML = await answer.text();
    show(root, marks.content);
  };
  // Without an answer the page has no numbers, or older threads; a later event asks again.
  const failed = (error: unknown): void => {
    if (!signal.aborted) console.warn(error);
  };
  const askAnew = (): void => {
    ask().catch(failed);
  };
  let naming: Promise<void> | undefined;
  let missed = false; // something was said while the panel was on its way
  const open = (widget: string): void => {
    const query = new URLSearchParams(location.search);
    query.delete("comments");
    if (widget) query.set("widget", widget);
    naming ??= import("./mentions.ts").then(({ listen: begin }) => begin(panel, signal)).catch((error: unknown) => {
      naming = undefined; // the next opening tries again
      failed(error);
    });
    if (!dialog.open) {
      dialog.showModal();
      // Not on the button that closes: a space while one begins to write would.
      dialog.focus();
    }
    // What was said elsewhere is not shown meanwhile; what is being written here stays.
    if (panel.dataset["of"] !== widget) {
      drafts.hold();
      panel.replaceChildren();
    }
    panel.dataset["of"] = widget;
    void htmx.ajax("GET", `${panel.dataset["panel"] ?? ""}?${query.toString()}`, { source: panel, target: "#comments", swap: "innerHTML" }).catch(failed).then(() => {
      if (!panel.firstElementChild) unanswered(panel, () => open(widget));
      if (document.activeElement === dialog) panel.querySelector<HTMLElement>("textarea")?.focus();
    });
  };

  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-comments]") : null;
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    link.closest<HTMLElement>("[popover]")?.hidePopover();
    open(link.dataset["comments"] ?? "");
  }, { signal, capture: true });
  const focused = new WeakMap<Swap, ReturnType<Drafts["hold"]>>();
  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx } = (event as CustomEvent<{ ctx: Swap }>).detail;
    if (ctx.target === panel) focused.set(ctx, drafts.hold(ctx.sourceElement instanceof HTMLFormElement ? ctx.sourceElement : undefined));
  }, { signal });
  document.addEventListener("htmx:after:swap", (event) => {
    const { ctx } = (event as CustomEvent<{ ctx: Swap }>).detail;
    if (ctx.target === panel) drafts.putBack(focused.get(ctx));
    show(root, marks.content);
    if (missed && panel.firstElementChild) {
      missed = false;
      refresh(panel, drafts, signal).catch(failed);
    }
    const shown = panel.querySelector<HTMLElement>("[data-said]");
    const said = shown?.dataset["said"];
    if (!shown || !said) return;
    shown.dataset["said"] = "";
    announce(said, true);
    askAnew();
  }, { signal });
  const hear = (): void => {
    askAnew();
    missed = dialog.open && !panel.firstElementChild;
    if (dialog.open && !missed) refresh(panel, drafts, signal).catch(failed);
  };
  root.addEventListener("df:comments", hear, { signal });
  const look = setInterval(() => {
    if (dialog.open && !document.hidden && document.body.dataset["live"] !== "on") hear();
  }, lookEvery);
  signal.addEventListener("abort", () => clearInterval(look));
  panel.addEventListener("keydown", (event) => {
    if (!(event.target instanceof HTMLTextAreaElement) || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.target.form?.requestSubmit();
  }, { signal });

  askAnew();
  const wanted = new URLSearchParams(location.search).get("comments");
  if (wanted !== null) open(wanted === "all" ? "" : wanted);
}

/** Says in the panel that there was no answer, and offers to ask again. */
function unanswered(panel: HTMLElement, again: () => void): void {
  const text = document.createElement("p");
  text.className = "caption";
  text.textContent = panel.dataset["failed"] ?? "";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-sm";
  button.textContent = panel.dataset["again"] ?? "";
  button.addEventListener("click", again);
  panel.replaceChildren(text, button);
}

/** Puts the numbers on the heads of the widgets that are shown. */
function show(root: HTMLElement, marks: DocumentFragment): void {
  const shown = [...root.querySelectorAll(".w-comments")];
  const wanted = [...marks.querySelectorAll<HTMLElement>(".w-comments")];
  for (const old of shown) {
    const widget = old.closest<HTMLElement>("[data-widget]")?.dataset["widget"];
    const next = wanted.find((each) => each.dataset["comments"] === widget);
    if (next?.textContent !== old.textContent) old.remove();
  }
  let all = 0;
  for (const mark of wanted) {
    all += Number(mark.textContent);
    const widget = mark.dataset["comments"];
    const head = widget && root.querySelector<HTMLElement>(`[data-widget="${CSS.escape(widget)}"] > .w-head`);
    if (head && !head.querySelector(".w-comments")) head.insertBefore(mark.cloneNode(true), head.querySelector(":scope > .w-names")?.nextSibling ?? null);
  }
  const count = document.querySelector<HTMLElement>("[data-comments-count]");
  if (!count) return;
  count.textContent = String(all);
  count.hidden = all === 0;
}

/** What htmx tells of a swap, the same object before and after it. */
interface Swap {
  target?: Element;
  sourceElement?: Element;
}

/** Asks for what the panel shows again. When something else came into it
 * meanwhile, as after a click, the answer is of another view or older than
 * that: it is left, and asked for once more. */
async function refresh(panel: HTMLElement, drafts: Drafts, signal: AbortSignal): Promise<void> {
  for (;;) {
    const shown = panel.querySelector<HTMLElement>("[data-panel-href]");
    const href = shown?.dataset["panelHref"];
    if (!href) return;
    const answer = await fetch(href, { headers: { "HX-Request": "true", "HX-Request-Type": "partial" }, signal });
    if (!answer.ok) return;
    const text = await answer.text();
    if (!shown.isConnected) continue;
    const focus = drafts.hold();
    panel.innerHTML = text;
    htmx.process(panel);
    const said = panel.dataset["kept"];
    if (drafts.putBack(focus) && said) toast(said);
    return;
  }
}

/** Where somebody is writing: the field, what is selected in it, and whether
 * people are listed for a name that is begun. */
interface Focus {
  key: string;
  from: number;
  to: number;
  direction: "forward" | "backward" | "none";
  naming: boolean;
}

/** What is being written, by field, while the page is there: panels come and go
 * with each answer, and a thread that somebody resolved takes its reply along. */
class Drafts {
  readonly #panel: HTMLElement;
  readonly #kept = new Map<string, { value: string; open: boolean }>();

  constructor(panel: HTMLElement) {
    this.#panel = panel;
  }

  get #fields(): HTMLTextAreaElement[] {
    return [...this.#panel.querySelectorAll<HTMLTextAreaElement>("textarea")];
  }

  /** Notes what stands in the panel, and answers where the focus is. What was
   * just sent, the form, is done with; the panel may have another one by now. */
  hold(sent?: HTMLFormElement): Focus | undefined {
    let focus: Focus | undefined;
    const done = new Set([...(sent?.querySelectorAll("textarea") ?? [])].map(keyOf));
    for (const field of this.#fields) {
      const key = keyOf(field);
      const open = field.closest("details")?.open ?? false;
      if (done.has(key) || (field.value === field.defaultValue && !open)) this.#kept.delete(key);
      else this.#kept.set(key, { value: field.value, open });
      if (field === document.activeElement && !done.has(key)) {
        focus = { key, from: field.selectionStart, to: field.selectionEnd, direction: field.selectionDirection, naming: Boolean(this.#panel.querySelector(".mention-list")) };
      }
    }
    return focus;
  }

  /** Writes it into the fields that are there now, and tells whether something
   * that was written last has none any more. */
  putBack(focus?: Focus): boolean {
    for (const field of this.#fields) {
      const key = keyOf(field);
      const draft = this.#kept.get(key);
      if (draft) {
        field.value = draft.value;
        const details = field.closest("details");
        if (details) details.open = true;
      }
      if (key !== focus?.key) continue;
      field.focus();
      field.setSelectionRange(focus.from, focus.to, focus.direction);
      if (focus.naming) field.dispatchEvent(new Event("input", { bubbles: true })); // lists them again
    }
    return focus !== undefined && Boolean(this.#kept.get(focus.key)?.value) && !this.#fields.some((field) => keyOf(field) === focus.key);
  }
}

/** A new comment is of the widget whose panel it was begun in. */
function keyOf(field: HTMLTextAreaElement): string {
  const widget = field.form?.elements.namedItem("widget");
  return field.id === "comment-new" && widget instanceof HTMLInputElement ? `${field.id} ${widget.value}` : field.id;
}
