// Comments of a dashboard. The number of open threads is asked for once the
// page is there, and again when somebody says something: it is no part of what
// is kept of the page. The panel at the side holds threads of a widget or of
// the whole dashboard.
//
//   [data-comments=WIDGET]     opens the panel ("" for all)
//   textarea[data-mentions]    "@" lists whom a comment can name
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
  let missed = false; // something was said while the panel was on its way
  const open = (widget: string): void => {
    const query = new URLSearchParams(location.search);
    query.delete("comments");
    if (widget) query.set("widget", widget);
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
  mentions(panel, signal);

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

/** Lists people while "@name" is being typed. */
function mentions(panel: HTMLElement, signal: AbortSignal): void {
  let people: Promise<string> | undefined;
  let list: HTMLElement | undefined;

  const close = (): void => {
    list?.remove();
    list = undefined;
    for (const field of panel.querySelectorAll("[aria-activedescendant]")) field.removeAttribute("aria-activedescendant");
  };
  const select = (field: HTMLTextAreaElement, option: Element | undefined): void => {
    if (!list || !option) return;
    for (const each of list.children) each.setAttribute("aria-selected", String(each === option));
    option.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", option.id);
  };
  const begun = (field: HTMLTextAreaElement): string | undefined =>
    /(?:^|[^\p{L}\p{N}])@([^@\n]{0,60})$/u.exec(field.value.slice(0, field.selectionStart))?.[1];
  const take = (field: HTMLTextAreaElement, option: HTMLElement): void => {
    const typed = begun(field);
    if (typed === undefined) return;
    const at = field.selectionStart;
    field.setRangeText(`${option.dataset["handle"] ?? ""} `, at - typed.length, at, "end");
    close();
    field.focus();
  };
  const suggest = async (field: HTMLTextAreaElement): Promise<void> => {
    if (begun(field) === undefined) {
      close();
      return;
    }
    people ??= fetch(field.dataset["mentions"] ?? "", { headers: { "HX-Request": "true", "HX-Request-Type": "partial" } })
      .then((answer) => (answer.ok ? answer.text() : ""));
    const text = await people;
    const typed = begun(field)?.toLowerCase();
    close();
    if (typed === undefined || !field.isConnected) return;
    const holder = document.createElement("template");
    holder.innerHTML = text;
    const found = holder.content.querySelector<HTMLElement>(".mention-list");
    for (const [i, option] of [...(found?.children ?? [])].entries()) {
      option.id = `mention-${String(i)}`;
      const fits = (option.textContent ?? "").toLowerCase().split(/[\s·]+/).some((_, n, words) => words.slice(n).join(" ").startsWith(typed));
      if (!fits) option.remove();
    }
    if (!found?.firstElementChild) return;
    list = found;
    field.closest(".field")?.after(found);
    found.style.top = `${String(field.offsetTop + field.offsetHeight)}px`;
    field.setAttribute("aria-controls", found.id);
    select(field, found.firstElementChild);
  };

  panel.addEventListener("input", (event) => {
    if (event.target instanceof HTMLTextAreaElement && event.target.dataset["mentions"]) void suggest(event.target);
  }, { signal });
  panel.addEventListener("keydown", (event) => {
    const field = event.target;
    if (!(field instanceof HTMLTextAreaElement)) return;
    if (!list) {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        field.form?.requestSubmit();
      }
      return;
    }
    const options = [...list.children] as HTMLElement[];
    const at = options.findIndex((each) => each.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown") select(field, options[(at + 1) % options.length]);
    else if (event.key === "ArrowUp") select(field, options[(at - 1 + options.length) % options.length]);
    else if ((event.key === "Enter" || event.key === "Tab") && options[at]) take(field, options[at]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, { signal });
  panel.addEventListener("pointerdown", (event) => {
    const option = event.target instanceof Element ? event.target.closest<HTMLElement>(".mention-list > li") : null;
    const field = option?.closest("form")?.querySelector("textarea");
    if (!option || !field) return;
    event.preventDefault();
    take(field, option);
  }, { signal });
}
