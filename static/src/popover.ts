// Popovers and dialogs in browsers that lack the newer parts: anchor
// positioning, and buttons with command and commandfor.

const anchored = CSS.supports("position-area", "block-end");
const commands = "commandForElement" in HTMLButtonElement.prototype;

function place(pop: HTMLElement, button: HTMLElement): void {
  const at = button.getBoundingClientRect();
  const box = pop.getBoundingClientRect();
  const gap = 4;
  const above = pop.classList.contains("pop-up") || (at.bottom + gap + box.height > innerHeight && at.top > box.height);
  const left = pop.classList.contains("pop-end") ? at.right - box.width : at.left;
  pop.style.margin = "0";
  pop.style.top = `${Math.max(8, above ? at.top - gap - box.height : at.bottom + gap)}px`;
  pop.style.left = `${Math.min(Math.max(8, left), innerWidth - box.width - 8)}px`;
}

if (!anchored) {
  document.addEventListener(
    "toggle",
    (event) => {
      const pop = event.target;
      if (!(pop instanceof HTMLElement) || !pop.matches(".pop:popover-open")) return;
      const button = document.querySelector<HTMLElement>(`[popovertarget="${CSS.escape(pop.id)}"]`);
      if (button) place(pop, button);
    },
    true,
  );
}

if (!commands) {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>("button[commandfor]") : null;
    const dialog = button && document.getElementById(button.getAttribute("commandfor") ?? "");
    if (!button || !(dialog instanceof HTMLDialogElement)) return;
    if (button.getAttribute("command") === "close") dialog.close();
    else if (!dialog.open) dialog.showModal();
  });
}

// A dialog closes on a click beside it, and takes the place of one that is
// open (the list of shortcuts opened out of the search).
document.addEventListener("click", (event) => {
  const dialog = event.target;
  if (!(dialog instanceof HTMLDialogElement) || !dialog.open) return;
  const box = dialog.getBoundingClientRect();
  const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  if (!inside) dialog.close();
});

// A closed dialog keeps the focus while it fades: keys would still go to it.
document.addEventListener(
  "close",
  ({ target }) => {
    const focused = document.activeElement;
    if (target instanceof HTMLDialogElement && !target.open && focused instanceof HTMLElement && target.contains(focused)) focused.blur();
  },
  true,
);

// A dialog that the server rendered open (a form with errors, or an answer for
// #modal) becomes modal.
function openDialogs(): void {
  for (const dialog of document.querySelectorAll<HTMLDialogElement>("dialog[open]:not(:modal)")) {
    // The answer to a dialog that a page of its own shows takes its place.
    for (const same of document.querySelectorAll<HTMLDialogElement>(`dialog[id="${dialog.id}"]:modal`)) same.remove();
    dialog.close();
    dialog.showModal();
  }
}
openDialogs();
document.addEventListener("htmx:after:swap", openDialogs);
