// The whole dashboard as text. The server reads it and says what is wrong, with
// line and column; what it takes is one change of the draft.
import type { Desk } from "./desk.ts";

export async function editFile(desk: Desk): Promise<void> {
  const dialog = document.getElementById("edit-file");
  const form = dialog?.querySelector("form");
  const area = dialog?.querySelector("textarea");
  const problem = document.getElementById("edit-file-error");
  if (!(dialog instanceof HTMLDialogElement) || !form || !area || !problem) return;
  const say = (text: string): void => {
    problem.textContent = text;
    problem.hidden = text === "";
  };
  // What is on its way belongs to the text.
  await desk.sync.idle();
  const answer = await fetch(`${desk.path}/edit/file.yaml`);
  if (!answer.ok) return;
  area.value = await answer.text();
  say("");
  const ended = new AbortController();
  dialog.addEventListener("close", () => ended.abort(), { signal: ended.signal });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopPropagation();
    void apply(desk, area.value, say);
  }, { signal: ended.signal, capture: true });
  dialog.showModal();
  area.setSelectionRange(0, 0);
  area.focus();
  area.scrollTop = 0;
}

async function apply(desk: Desk, text: string, say: (text: string) => void): Promise<void> {
  try {
    const answer = await fetch(`${desk.path}/edit/file`, { method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify({ text }) });
    if (answer.ok) {
      // Everything may be another now: name, tabs, filters, widgets.
      location.reload();
      return;
    }
    const { error } = (await answer.json()) as { error?: { message?: string } };
    say(error?.message ?? answer.statusText);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    say(error.message);
  }
}
