// What a person typed survives a session that ended meanwhile: the fields of a
// form are kept in the tab when it is sent; if the answer was the sign-in page,
// they are put back once the person is at the form again. Passwords and files
// are never kept.
import { toast } from "./toast.ts";

interface Draft {
  page: string; // path and query
  action: string;
  fields: [name: string, value: string][];
  signedOut: boolean; // the sign-in page was shown since
}

const key = "df-draft";
const page = location.pathname + location.search;

function read(): Draft | undefined {
  try {
    const text = sessionStorage.getItem(key);
    return text ? (JSON.parse(text) as Draft) : undefined;
  } catch {
    // Storage is turned off, or holds something else: there is no draft.
    return undefined;
  }
}

function keep(draft: Draft): void {
  try {
    sessionStorage.setItem(key, JSON.stringify(draft));
  } catch {
    // Storage is full or turned off; the form is sent all the same.
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.method !== "post" || form.querySelector("input[type=password], input[type=file]")) return;
  const fields: Draft["fields"] = [];
  for (const [name, value] of new FormData(form)) if (typeof value === "string") fields.push([name, value]);
  keep({ page, action: form.getAttribute("action") ?? "", fields, signedOut: false });
});

function putBack(draft: Draft): boolean {
  const form = [...document.forms].find((each) => each.method === "post" && each.getAttribute("action") === draft.action);
  if (!form) return false;
  const values = new Map<string, string[]>();
  for (const [name, value] of draft.fields) values.set(name, [...(values.get(name) ?? []), value]);
  for (const field of form.elements) {
    if (field instanceof HTMLInputElement && (field.type === "checkbox" || field.type === "radio")) {
      field.checked = values.get(field.name)?.includes(field.value) ?? false;
    } else if ((field instanceof HTMLInputElement && field.type !== "hidden") || field instanceof HTMLTextAreaElement || field instanceof HTMLSelectElement) {
      const value = values.get(field.name)?.shift();
      if (value !== undefined) field.value = value;
    }
  }
  form.scrollIntoView({ block: "nearest" });
  return true;
}

const draft = read();
if (draft && location.pathname === "/signin") {
  keep({ ...draft, signedOut: true });
} else if (draft) {
  sessionStorage.removeItem(key);
  const text = document.getElementById("toasts")?.dataset["restored"];
  if (draft.signedOut && draft.page === page && putBack(draft) && text) toast(text);
}
