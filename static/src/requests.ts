// What a person hears of requests of htmx that went wrong, and forms that must
// not be sent twice.
import { toast } from "./toast.ts";

document.addEventListener("htmx:error", (event) => {
  const { ctx, error } = (event as CustomEvent<{ ctx?: { response?: unknown; request?: { headers?: Record<string, string> } }; error?: Error }>).detail ?? {};
  // A request that a newer one replaced is no failure. Of what a page asks by
  // itself, its sign of live data tells.
  if (error?.name === "AbortError" || ctx?.response || ctx?.request?.headers?.["Df-Unattended"]) return;
  const text = document.getElementById("toasts")?.dataset["offline"];
  if (text) toast(text, "neg");
});

// A plain form is sent once: its buttons rest until the answer replaces the page.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || event.defaultPrevented || form.method !== "post") return;
  const button = (event as SubmitEvent).submitter;
  form.classList.add("htmx-request");
  // Not before the form's data was read: a disabled button has no value.
  setTimeout(() => {
    if (button instanceof HTMLButtonElement && !event.defaultPrevented) button.disabled = true;
  });
});
// Coming back by the history shows the page as it was left.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form.htmx-request")) {
    form.classList.remove("htmx-request");
    for (const button of form.querySelectorAll<HTMLButtonElement>("button:disabled")) button.disabled = false;
  }
});

document.addEventListener("click", (event) => {
  if (event.target instanceof Element && event.target.closest("[data-toast-close]")) event.target.closest(".toast")?.remove();
});
