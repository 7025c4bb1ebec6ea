import type { Stream } from "./transport.ts";

/** A stream of server-sent events whose request has headers, which an EventSource
 * can't have: open, then the named events, and error when it ends in any way. It
 * does not connect again by itself. */
export class FetchStream extends EventTarget implements Stream {
  #ended = new AbortController();

  constructor(url: string, headers: () => Record<string, string>) {
    super();
    // Listeners are added after this.
    queueMicrotask(() => void this.#follow(url, headers()));
  }

  close(): void {
    this.#ended.abort();
  }

  async #follow(url: string, headers: Record<string, string>): Promise<void> {
    const { signal } = this.#ended;
    try {
      const answer = await fetch(url, { headers: { ...headers, Accept: "text/event-stream" }, cache: "no-store", signal });
      if (!answer.ok || !answer.body) throw new Error(`answered ${answer.status}`);
      this.dispatchEvent(new Event("open"));
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
        const parts = text.split("\n\n");
        text = parts.pop() ?? "";
        for (const part of parts) if (!signal.aborted) this.#emit(part);
      }
    } catch {
      // Whatever it was, who listens tries again.
    }
    if (!signal.aborted) this.dispatchEvent(new Event("error"));
  }

  #emit(part: string): void {
    let name = "message";
    const data: string[] = [];
    for (const line of part.split("\n")) {
      if (line.startsWith("event:")) name = line.slice(6).trim();
      else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    }
    if (data.length > 0) this.dispatchEvent(new MessageEvent(name, { data: data.join("\n") }));
  }
}
