// Lists people while "@name" is being typed in a comment, and begins a reply in
// its field. Loaded once somebody opens the comments.
//
//   textarea[data-mentions]    where the people come from
//   .mention-list > li         one of them; data-handle is what it writes
export function listen(panel: HTMLElement, signal: AbortSignal): void {
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
    // The list may be of a panel that came anew since.
    const chosen = list?.querySelector<HTMLElement>("[aria-selected=true]")?.dataset["handle"];
    close();
    if (typed === undefined || document.activeElement !== field) return;
    const holder = document.createElement("template");
    holder.innerHTML = text;
    const found = holder.content.querySelector<HTMLElement>(".mention-list");
    for (const [i, option] of [...(found?.children ?? [])].entries()) {
      option.id = `mention-${String(i)}`;
      const fits = (option.textContent ?? "").toLowerCase().split(/[\s·]+/).some((_, n, words) => words.slice(n).join(" ").startsWith(typed));
      if (!fits) option.remove();
    }
    if (!found?.firstElementChild) return;
    // A name that is written to its end needs no list over what comes below.
    if (found.children.length === 1 && (found.firstElementChild as HTMLElement).dataset["handle"]?.toLowerCase() === typed.trimEnd()) return;
    list = found;
    field.closest(".field")?.after(found);
    found.style.top = `${String(field.offsetTop + field.offsetHeight)}px`;
    field.setAttribute("aria-controls", found.id);
    const options = [...found.children] as HTMLElement[];
    select(field, options.find((each) => each.dataset["handle"] === chosen) ?? options[0]);
  };

  panel.addEventListener("input", (event) => {
    if (event.target instanceof HTMLTextAreaElement && event.target.dataset["mentions"]) void suggest(event.target);
  }, { signal });
  panel.addEventListener("keydown", (event) => {
    const field = event.target;
    // The panel may have come anew since the list was shown.
    if (!(field instanceof HTMLTextAreaElement) || !list?.isConnected) return;
    const options = [...list.children] as HTMLElement[];
    const at = options.findIndex((each) => each.getAttribute("aria-selected") === "true");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && options[at]) {
      take(field, options[at]); // and it is sent with that
      return;
    }
    if (event.key === "ArrowDown") select(field, options[(at + 1) % options.length]);
    else if (event.key === "ArrowUp") select(field, options[(at - 1 + options.length) % options.length]);
    else if ((event.key === "Enter" || event.key === "Tab") && options[at]) take(field, options[at]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, { signal, capture: true });
  panel.addEventListener("click", (event) => {
    const more = event.target instanceof Element ? event.target.closest("summary")?.parentElement : null;
    // It opens after this.
    if (more instanceof HTMLDetailsElement && !more.open) setTimeout(() => more.querySelector("textarea")?.focus());
  }, { signal });
  panel.addEventListener("focusout", (event) => {
    if (list && event.target instanceof HTMLTextAreaElement && event.target.isConnected) close();
  }, { signal });
  panel.addEventListener("pointerdown", (event) => {
    const option = event.target instanceof Element ? event.target.closest<HTMLElement>(".mention-list > li") : null;
    const field = option?.closest("form")?.querySelector("textarea");
    if (!option || !field) return;
    event.preventDefault();
    take(field, option);
  }, { signal });
  // What was typed before this was there.
  const field = document.activeElement;
  if (field instanceof HTMLTextAreaElement && panel.contains(field) && field.dataset["mentions"]) void suggest(field);
}
