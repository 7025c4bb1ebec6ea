// <df-live url="/dashboards/ID/events" events="changed versions"
//          retrying="Reconnecting in {n} s">
//
// One stream of events a tab, over SSE. Each event named in the attribute
// events (default: message) is sent on as a bubbling event df:NAME with the
// parsed JSON as detail. The stream is closed while the tab is hidden and
// opened anew when it is shown; after a failure it waits 1, 2, 4 … 30 s.
//
// What it is up to stands in body[data-live]: "connecting", "on", "waiting"
// (for the next try), "hidden", or "paused" (by the person). Elements with
// data-live-retry show the countdown; [data-live-now] connects at once;
// [data-live-pause] pauses and resumes. An event "end" (the session is over,
// or the page is of an older version) reloads the page.
//
// df:live-state (bubbling) tells {state, since}: since when the data on the
// page is as it is, in milliseconds; null while the stream is on.
//
// With the attribute quiet nothing is said of the state: the page may have
// another stream, whose state it is.

import { transport, type Stream } from "../transport.ts";

type State = "connecting" | "on" | "waiting" | "hidden" | "paused";

const longestWait = 30;

class Live extends HTMLElement {
  #ended: AbortController | undefined;
  #stream: Stream | undefined;
  #timer = 0;
  #tries = 0;
  #left = 0;
  #paused = false;
  #since: number | null = null;

  connectedCallback(): void {
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    document.addEventListener("visibilitychange", () => this.#follow(), { signal });
    addEventListener("pagehide", () => this.#close(), { signal });
    addEventListener("online", () => this.#now(), { signal });
    document.addEventListener("click", (event) => {
      const target = event.target instanceof Element ? event.target : null;
      if (target?.closest("[data-live-now]")) this.#now();
      const pause = target?.closest("[data-live-pause]");
      if (pause) {
        this.#paused = !this.#paused;
        pause.setAttribute("aria-checked", String(this.#paused));
        this.#follow();
      }
    }, { signal });
    this.#follow();
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
    this.#close();
    if (!this.hasAttribute("quiet")) delete document.body.dataset["live"];
  }

  #follow(): void {
    if (this.#paused || document.hidden) {
      this.#close();
      this.#say(this.#paused ? "paused" : "hidden");
    } else if (!this.#stream) {
      this.#tries = 0;
      this.#connect();
    }
  }

  #now(): void {
    if (this.#stream || this.#paused || document.hidden) return;
    this.#close();
    this.#connect();
  }

  #connect(): void {
    const url = this.getAttribute("url");
    if (!url) return;
    this.#say("connecting");
    const stream = transport.stream(url);
    this.#stream = stream;
    stream.addEventListener("open", () => {
      this.#tries = 0;
      this.#since = null;
      this.#say("on");
    });
    stream.addEventListener("error", () => {
      this.#close();
      this.#wait();
    });
    stream.addEventListener("end", () => {
      this.#close();
      transport.reload();
    });
    for (const name of (this.getAttribute("events") ?? "message").split(/\s+/)) {
      if (!name) continue;
      stream.addEventListener(name, (event) => {
        const text = (event as MessageEvent<string>).data;
        this.dispatchEvent(new CustomEvent(`df:${name}`, { bubbles: true, detail: text ? (JSON.parse(text) as unknown) : null }));
      });
    }
  }

  #close(): void {
    clearInterval(this.#timer);
    this.#stream?.close();
    this.#stream = undefined;
  }

  /** Counts down to the next try, a little earlier or later than others. */
  #wait(): void {
    this.#since ??= Date.now();
    this.#left = Math.max(1, Math.round(Math.min(2 ** this.#tries, longestWait) * (0.75 + Math.random() / 2)));
    this.#tries++;
    this.#say("waiting");
    this.#count();
    this.#timer = setInterval(() => {
      this.#left--;
      if (this.#left > 0) {
        this.#count();
        return;
      }
      clearInterval(this.#timer);
      this.#connect();
    }, 1000);
  }

  #count(): void {
    const text = (this.getAttribute("retrying") ?? "{n} s").replace("{n}", String(this.#left));
    for (const place of document.querySelectorAll("[data-live-retry]")) place.textContent = text;
  }

  #say(state: State): void {
    if (this.hasAttribute("quiet")) return;
    // Between two tries the page does not jump back and forth.
    if (state === "connecting" && this.#since !== null && document.body.dataset["live"] === "waiting") return;
    if (document.body.dataset["live"] === state) return;
    document.body.dataset["live"] = state;
    this.dispatchEvent(new CustomEvent("df:live-state", { bubbles: true, detail: { state, since: this.#since } }));
  }
}

customElements.define("df-live", Live);
