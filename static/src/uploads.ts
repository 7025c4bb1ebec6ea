// <df-dropzone action="/uploads" accept=".csv,…" text-progress="{sent} of {size}
// · {left} left" text-finish text-cancel text-failed text-retry>: takes files
// dragged anywhere onto the page or chosen ([data-dropzone-open] opens the
// file dialog), and sends each as multipart form data, field "file", with
// progress and a button to cancel.
//
// The answer to a taken file is 201 with its page in Location (or JSON
// {"location": "…"}); with one file, the browser goes there. A refused file is
// answered by JSON {"error": {"message", "code"}}. Without JavaScript the form
// inside works by itself.
//
// Events (bubbling): df:uploaded with {name, location}; df:upload-failed with
// {name, code}.
import { duration, fileSize } from "./quantities.ts";

class Dropzone extends HTMLElement {
  #ended: AbortController | undefined;
  #depth = 0;
  #running = new Set<XMLHttpRequest>();
  #taken: string[] = [];

  connectedCallback(): void {
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    const input = this.querySelector<HTMLInputElement>("[data-dropzone-input]");
    document.addEventListener("dragenter", (event) => {
      if (!carriesFiles(event)) return;
      this.#depth++;
      this.#cover(true);
    }, { signal });
    document.addEventListener("dragleave", (event) => {
      if (!carriesFiles(event)) return;
      this.#depth = Math.max(0, this.#depth - 1);
      if (this.#depth === 0) this.#cover(false);
    }, { signal });
    document.addEventListener("dragover", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
    }, { signal });
    document.addEventListener("drop", (event) => {
      this.#depth = 0;
      this.#cover(false);
      if (!carriesFiles(event)) return;
      event.preventDefault();
      this.#send([...(event.dataTransfer?.files ?? [])]);
    }, { signal });
    document.addEventListener("click", (event) => {
      const opener = event.target instanceof Element ? event.target.closest("[data-dropzone-open]") : null;
      if (!opener || !input) return;
      event.preventDefault();
      input.click();
    }, { signal });
    input?.addEventListener("change", () => {
      this.#send([...(input.files ?? [])]);
      input.value = "";
    }, { signal });
    addEventListener("beforeunload", (event) => {
      if (this.#running.size > 0) event.preventDefault();
    }, { signal });
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
    for (const request of this.#running) request.abort();
  }

  #cover(shown: boolean): void {
    const cover = this.querySelector<HTMLElement>("[data-dropzone-cover]");
    if (cover) cover.hidden = !shown;
  }

  #send(files: File[]): void {
    this.#taken = [];
    for (const file of files) this.#upload(file);
  }

  #upload(file: File): void {
    const action = this.getAttribute("action");
    const place = this.querySelector("[data-dropzone-list]");
    if (!action || !place) return;
    const item = document.createElement("div");
    item.className = "upload-item";
    const words = document.createElement("p");
    const name = document.createElement("b");
    name.textContent = file.name;
    const note = document.createElement("p");
    note.className = "caption num";
    words.append(name);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-ghost btn-sm";
    button.textContent = this.getAttribute("text-cancel");
    const bar = document.createElement("div");
    bar.className = "bar";
    bar.setAttribute("role", "progressbar");
    bar.setAttribute("aria-label", file.name);
    const fill = document.createElement("span");
    fill.style.width = "0";
    bar.append(fill);
    item.append(words, button, bar, note);
    place.append(item);

    const request = new XMLHttpRequest();
    const body = new FormData();
    body.append("file", file, file.name);
    const started = performance.now();
    let failed = false;
    const fail = (code: string, message: string): void => {
      failed = true;
      bar.hidden = true;
      note.textContent = [(this.getAttribute("text-failed") ?? "").replace("{name}", file.name), message, code].filter(Boolean).join(" ");
      note.classList.add("field-error");
      button.textContent = this.getAttribute("text-retry");
      this.dispatchEvent(new CustomEvent("df:upload-failed", { bubbles: true, detail: { name: file.name, code } }));
    };
    button.addEventListener("click", () => {
      request.abort();
      item.remove();
      if (failed) this.#upload(file);
    });
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      const share = event.loaded / event.total;
      fill.style.width = `${share * 100}%`;
      bar.setAttribute("aria-valuenow", String(Math.floor(share * 100)));
      const seconds = (performance.now() - started) / 1000;
      note.textContent =
        event.loaded < event.total
          ? (this.getAttribute("text-progress") ?? "{sent}")
              .replace("{sent}", fileSize(event.loaded))
              .replace("{size}", fileSize(event.total))
              .replace("{left}", duration((seconds / event.loaded) * (event.total - event.loaded)))
          : this.getAttribute("text-finish");
      bar.classList.toggle("bar-endless", event.loaded === event.total);
    });
    request.addEventListener("loadend", () => this.#running.delete(request));
    request.addEventListener("error", () => fail("", ""));
    request.addEventListener("load", () => {
      this.#running.delete(request); // nothing is lost any more by leaving
      const answer = parse(request.responseText);
      if (request.status >= 400) {
        fail(answer.error?.code ?? "", answer.error?.message ?? "");
        return;
      }
      item.remove();
      const location = request.getResponseHeader("Location") ?? answer.location ?? "";
      this.dispatchEvent(new CustomEvent("df:uploaded", { bubbles: true, detail: { name: file.name, location } }));
      this.#taken.push(location);
      if (this.#running.size === 0 && this.#taken.length === 1 && location) window.location.assign(location);
    });
    request.open("POST", action);
    request.setRequestHeader("Accept", "application/json");
    this.#running.add(request);
    request.send(body);
  }
}

interface Answer {
  location?: string;
  error?: { code?: string; message?: string };
}

function parse(text: string): Answer {
  try {
    return JSON.parse(text) as Answer;
  } catch {
    // A proxy's own page: there is nothing in it for the person.
    return {};
  }
}

function carriesFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

customElements.define("df-dropzone", Dropzone);
