// Comments of a dashboard. The number of open threads is asked for once the
// page is there, and again when somebody says something: it is no part of what
// is kept of the page. The panel at the side holds threads of a widget or of
// the whole dashboard.
//
//   [data-comments=WIDGET]     opens the panel ("" for all)
//   textarea[data-mentions]    "@" lists whom a comment can name (mentions.ts)
//   df:comments                asks for numbers and the open panel anew; what is
//                              being written stays
import htmx from "htmx.org";
import { announce } from "../page.ts";

export function listen(root: HTMLElement, signal: AbortSignal): void {
  const panel = document.getElementById("comments");
  const dialog = document.getElementById("comments-dialog");
  if (!panel || !(dialog instanceof HTMLDialogElement)) return;
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
    naming ??= import("./mentions.ts").then(({ listen: begin }) => begin(panel, signal)).catch(failed);
    if (!dialog.open) {
      dialog.showModal();
      // Not on the button that closes: a space while one begins to write would.
      dialog.focus();
    }
    // What was said elsewhere is not shown meanwhile; what is being written here stays.
    if (panel.dataset["of"] !== widget) panel.replaceChildren();
    panel.dataset["of"] = widget;
    void htmx.ajax("GET", `${panel.dataset["panel"] ?? ""}?${query.toString()}`, { source: panel, target: "#comments", swap: "innerHTML" }).then(() => {
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
  const putBack = new WeakMap<Swap, () => void>();
  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx } = (event as CustomEvent<{ ctx: Swap }>).detail;
    if (ctx.target === panel) putBack.set(ctx, written(panel, ctx.sourceElement === panel ? undefined : ctx.sourceElement));
  }, { signal });
  document.addEventListener("htmx:after:swap", (event) => {
    putBack.get((event as CustomEvent<{ ctx: Swap }>).detail.ctx)?.();
    show(root, marks.content);
    if (missed && panel.firstElementChild) {
      missed = false;
      refresh(panel, signal).catch(failed);
    }
    const shown = panel.querySelector<HTMLElement>("[data-said]");
    const said = shown?.dataset["said"];
    if (!shown || !said) return;
    shown.dataset["said"] = "";
    announce(said, true);
    askAnew();
  }, { signal });
  root.addEventListener("df:comments", () => {
    askAnew();
    missed = dialog.open && !panel.firstElementChild;
    if (dialog.open && !missed) refresh(panel, signal).catch(failed);
  }, { signal });
  panel.addEventListener("keydown", (event) => {
    if (!(event.target instanceof HTMLTextAreaElement) || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.target.form?.requestSubmit();
  }, { signal });

  askAnew();
  const wanted = new URLSearchParams(location.search).get("comments");
  if (wanted !== null) open(wanted === "all" ? "" : wanted);
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
async function refresh(panel: HTMLElement, signal: AbortSignal): Promise<void> {
  for (;;) {
    const shown = panel.querySelector<HTMLElement>("[data-panel-href]");
    const href = shown?.dataset["panelHref"];
    if (!href) return;
    const answer = await fetch(href, { headers: { "HX-Request": "true", "HX-Request-Type": "partial" }, signal });
    if (!answer.ok) return;
    const text = await answer.text();
    if (!shown.isConnected) continue;
    const putBack = written(panel);
    panel.innerHTML = text;
    htmx.process(panel);
    putBack();
    return;
  }
}

/** Notes what is being written, and answers what puts it and the focus back
 * once the panel is another. What was just sent, within sent, is done with. */
function written(panel: HTMLElement, sent?: Element): () => void {
  const fields = [...panel.querySelectorAll<HTMLTextAreaElement>("textarea")]
    .filter((field) => !sent?.contains(field))
    .filter((field) => field.value !== field.defaultValue || field === document.activeElement || field.closest("details")?.open)
    .map((field) => ({ id: field.id, value: field.value, focus: field === document.activeElement, at: field.selectionStart }));
  return () => {
    for (const { id, value, focus, at } of fields) {
      const field = panel.querySelector<HTMLTextAreaElement>(`#${CSS.escape(id)}`);
      if (!field) continue;
      field.value = value;
      const details = field.closest("details");
      if (details) details.open = true;
      if (focus) {
        field.focus();
        field.setSelectionRange(at, at);
      }
    }
  };
}
