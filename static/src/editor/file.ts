// The whole dashboard as text. The server reads it and says what is wrong, with
// line and column; what was changed in it becomes one change of the draft.
import { toast } from "../toast.ts";
import { placeOf } from "./contest.ts";
import type { Desk } from "./desk.ts";
import { words } from "./words.ts";

/** Where what is to be said stands while the page is loaded anew. */
const said = "df-editor-said";

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
  const { rev } = desk.sync;
  const answer = await fetch(`${desk.path}/edit/file.yaml`);
  if (!answer.ok) return;
  const base = await answer.text();
  area.value = base;
  say("");
  const ended = new AbortController();
  dialog.addEventListener("close", () => ended.abort(), { signal: ended.signal });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopPropagation();
    void apply(desk, { text: area.value, base, rev }, say);
  }, { signal: ended.signal, capture: true });
  dialog.showModal();
  area.setSelectionRange(0, 0);
  area.focus();
  area.scrollTop = 0;
}

async function apply(desk: Desk, change: { text: string; base: string; rev: number }, say: (text: string) => void): Promise<void> {
  try {
    const answer = await fetch(`${desk.path}/edit/file`, { method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify(change) });
    if (answer.ok) {
      const { overwrote, gone } = (await answer.json()) as { overwrote?: { path: string; text?: string }[] | null; gone?: string[] | null };
      const texts = [
        ...(overwrote ?? []).flatMap(({ path, text }) => (text && !placeOf({ op_id: "", path }) ? [text] : [])),
        ...(gone ?? []).map((title) => words("gone", { title })),
      ];
      try {
        if (texts.length > 0) sessionStorage.setItem(said, JSON.stringify(texts));
      } catch {
        // A browser without storage does not say it.
      }
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

/** Says what came of a text before the page was loaded anew. */
export function saidBefore(): void {
  try {
    const texts = JSON.parse(sessionStorage.getItem(said) ?? "[]") as string[];
    sessionStorage.removeItem(said);
    for (const text of texts) toast(text, "", 15_000);
  } catch {
    // A browser without storage kept nothing.
  }
}
