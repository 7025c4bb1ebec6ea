// Where the keyboard stands once what had the focus is gone: replaced by a swap,
// or by the page that a plain form leads to. The focus goes to the field in
// error, else to what stands in the same place: the element of the same id, what
// the nearest element that is still there marks with data-focus, or the first
// thing in it that takes the focus.

interface Place {
  path: string;
  ids: string[]; // of the element and of those around it, from the inside out
}

const kept = "df-focus";
const takes = "a[href], button, input, select, textarea, summary, [tabindex]:not([tabindex='-1'])";
let focused: HTMLElement | undefined;
let place: Place | undefined;

/** In a frame of another site there may be none. */
function storage(): Storage | undefined {
  try {
    return sessionStorage;
  } catch {
    return undefined;
  }
}

function placeOf(element: Element): Place {
  const ids: string[] = [];
  for (let each: Element | null = element; each; each = each.parentElement) if (each.id) ids.push(each.id);
  return { path: location.pathname, ids };
}

const usable = (element: HTMLElement): boolean => !element.matches(":disabled, [type=hidden]") && element.checkVisibility({ visibilityProperty: true });

function restore({ ids }: Place): void {
  const around = ids.map((id) => document.getElementById(id)).find((element) => element !== null);
  const wrong = "[aria-invalid='true']";
  const invalid = around?.matches(wrong) ? around : (around?.closest("form") ?? around ?? document).querySelector<HTMLElement>(wrong);
  const lost = !document.activeElement || document.activeElement === document.body;
  if (invalid && invalid !== document.activeElement) invalid.focus();
  else if (lost && around) {
    const within = [around, ...around.querySelectorAll<HTMLElement>("[data-focus]"), ...around.querySelectorAll<HTMLElement>(takes)];
    within.find((element) => element.matches(`${takes}, [data-focus]`) && usable(element))?.focus();
  }
}

document.addEventListener("focusin", ({ target }) => {
  if (!(target instanceof HTMLElement)) return;
  focused = target;
  place = placeOf(target);
});
// What a person left by themselves is no longer theirs to come back to.
document.addEventListener("focusout", ({ target }) => {
  queueMicrotask(() => {
    if (target === focused && focused?.isConnected && !focused.matches(":disabled") && document.activeElement !== focused) focused = place = undefined;
  });
});
let before: { focused: HTMLElement; place: Place } | undefined;
document.addEventListener("htmx:before:swap", () => {
  before = focused && place && { focused, place };
});
document.addEventListener("htmx:after:swap", () => {
  const was = before;
  // After htmx, dialogs and panels have put the focus where they know it belongs.
  requestAnimationFrame(() => {
    // Of several swaps at a time one may have begun before the focus was left.
    if (was && was.focused === focused && !(was.focused.isConnected && usable(was.focused))) restore(was.place);
  });
});

document.addEventListener("submit", (event) => {
  const { submitter } = event as SubmitEvent;
  if (!event.defaultPrevented && submitter) storage()?.setItem(kept, JSON.stringify(placeOf(submitter)));
});
const left = storage()?.getItem(kept);
if (left) {
  const from = JSON.parse(left) as Place;
  const error = document.querySelector("[aria-invalid='true']");
  const there = document.getElementById(from.ids[0] ?? "");
  // While the answer is being made, a page in between has nothing of it yet.
  if (error || there || from.path !== location.pathname) storage()?.removeItem(kept);
  if (error) restore({ path: "", ids: [] });
  else if (there?.matches(takes) || there?.querySelector("[data-focus]")) restore(from);
}

export {};
