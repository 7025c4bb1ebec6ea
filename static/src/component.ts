// The component with which another site shows a dashboard:
//
//   <script src="https://bi.example.com/embed.js" data-tag="acme-dashboard" defer></script>
//   <acme-dashboard dashboard="ID" token-url="/my/embed-token"></acme-dashboard>
//
// docs/embedding.md lists its attributes, events and methods. It is a frame, which
// it fills by a form, so that the token is in no address; it speaks with the page
// in it by messages (embed.ts).
export {};

interface Token {
  token: string;
}
type TokenCall = () => Promise<string | Token> | string | Token;
type Value = string | number | boolean | null;
interface Message {
  embed?: number;
  type?: string;
  [more: string]: unknown;
}

const script = document.currentScript instanceof HTMLScriptElement ? document.currentScript : undefined;
const site = script ? new URL(script.src).origin : location.origin;
const tag = script?.dataset["tag"] ?? "embedded-dashboard";

const variables = ["background", "surface", "text", "muted", "line", "accent", "accent-text", "radius", "font", "c1", "c2", "c3", "c4", "c5", "c6", "c7"].map((name) => `--embed-${name}`);

/** How long before its end a token is replaced, how long a failed try rests, and
 * how long a page may take until it speaks, in milliseconds. */
const ahead = 60_000;
const rest = 15_000;
const patience = 20_000;

let frames = 0;

class EmbeddedDashboard extends HTMLElement {
  static observedAttributes = ["dashboard", "theme", "token-url"];

  #token: TokenCall | undefined;
  #frame: HTMLIFrameElement | undefined;
  #ended: AbortController | undefined;
  #renewal = 0;
  #silence = 0;
  #query = "";
  #calls = 0;
  #answers = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #loads = 0;

  connectedCallback(): void {
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    if (getComputedStyle(this).display === "inline") this.style.display = "block";
    window.addEventListener("message", (event) => this.#heard(event), { signal });
    // Variables that depend on it are others then.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#dress(), { signal });
    // A page may have set the property before this script was there.
    if (Object.hasOwn(this, "token")) {
      const early = Reflect.get(this, "token") as TokenCall;
      Reflect.deleteProperty(this, "token");
      this.#token = early;
    }
    // Without a way to a token, the page is about to say one.
    if (this.#knows()) void this.#load("");
    else this.#silence = window.setTimeout(() => this.#fail("embed.token", new Error("There is neither a token callback nor a token-url.")), patience);
  }

  /** Answers a token for who looks; takes the place of the attribute token-url. */
  get token(): TokenCall | undefined {
    return this.#token;
  }

  set token(call: TokenCall | undefined) {
    this.#token = call;
    if (this.isConnected && !this.#frame && this.#knows()) void this.#load("");
  }

  #knows(): boolean {
    return this.#token !== undefined || this.hasAttribute("token-url");
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
    clearTimeout(this.#renewal);
    clearTimeout(this.#silence);
    this.#frame?.remove();
    this.#frame = undefined;
    for (const { reject } of this.#answers.values()) reject(new Error("The dashboard was removed."));
    this.#answers.clear();
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after || !this.#ended) return;
    if (name === "theme") this.#dress();
    else if (this.#frame || name === "token-url") void this.#load("");
  }

  /** Chooses values of a filter; none take it off. The name "range" is the date range. */
  async setFilter(name: string, values?: Value | readonly Value[] | null): Promise<void> {
    const list = values === undefined || values === null ? [] : Array.isArray(values) ? values : [values as Value];
    await this.#call("filter", { name, values: list.map((each) => (each === null ? null : String(each))) });
  }

  /** Shows the newest data, and takes the site's variables over again. */
  async refresh(): Promise<void> {
    this.#dress();
    await this.#call("refresh", {});
  }

  /** The rows of a widget as CSV, where the token lets files be taken. */
  async export(widget: string): Promise<File> {
    const { blob, name } = (await this.#call("export", { widget })) as { blob: Blob; name: string };
    return new File([blob], name, { type: "text/csv" });
  }

  /** Another token is asked for, and the page loaded with it: somebody else looks. */
  async reload(): Promise<void> {
    await this.#load("");
  }

  async #ask(): Promise<string> {
    let answer: string | Token;
    const url = this.getAttribute("token-url");
    if (this.#token) {
      answer = await this.#token();
    } else if (url) {
      const response = await fetch(url, { method: "POST", credentials: "same-origin", headers: { Accept: "application/json" } });
      if (!response.ok) throw new Error(`${url} answered ${response.status}`);
      answer = (await response.json()) as Token;
    } else {
      throw new Error("There is neither a token callback nor a token-url.");
    }
    const text = typeof answer === "string" ? answer : answer.token;
    if (!text) throw new Error("The answer has no token.");
    return text;
  }

  async #load(query: string): Promise<void> {
    const load = ++this.#loads;
    clearTimeout(this.#renewal);
    clearTimeout(this.#silence);
    let token: string;
    try {
      token = await this.#ask();
    } catch (error) {
      this.#fail("embed.token", error);
      return;
    }
    if (load !== this.#loads || !this.isConnected) return;
    const name = `embedded-${++frames}`;
    const frame = document.createElement("iframe");
    frame.name = name;
    frame.title = this.getAttribute("label") ?? "Dashboard";
    frame.allow = "fullscreen; clipboard-write";
    frame.referrerPolicy = "origin";
    Object.assign(frame.style, { display: "block", width: "100%", height: this.#frame?.style.height ?? "400px", border: "0", colorScheme: "normal", opacity: "0", transition: "opacity 120ms" });
    this.#frame?.remove();
    this.#frame = frame;
    this.append(frame);
    const form = document.createElement("form");
    form.method = "post";
    form.action = `${site}/embed`;
    form.target = name;
    form.hidden = true;
    const fields = { token, dashboard: this.getAttribute("dashboard") ?? "", theme: this.getAttribute("theme") ?? "auto",
      title: this.hasAttribute("hide-title") ? "hidden" : "", state: query, filters: query ? "" : (this.getAttribute("filters") ?? "") };
    for (const [field, value] of Object.entries(fields)) {
      const input = document.createElement("input");
      input.type = "hidden";
      input.name = field;
      input.value = value;
      form.append(input);
    }
    document.body.append(form);
    form.submit();
    form.remove();
    this.#silence = window.setTimeout(() => this.#fail("embed.silent", new Error("The dashboard does not answer. Is this site among the origins of the key?")), patience);
  }

  #post(type: string, more: Record<string, unknown>): void {
    this.#frame?.contentWindow?.postMessage({ embed: 1, type, ...more }, site);
  }

  #call(type: string, more: Record<string, unknown>): Promise<unknown> {
    if (!this.#frame) return Promise.reject(new Error("There is no dashboard yet."));
    const call = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#answers.set(call, { resolve, reject });
      this.#post(type, { call, ...more });
    });
  }

  #dress(): void {
    const style = getComputedStyle(this);
    const chosen: Record<string, string> = {};
    for (const name of variables) {
      const value = style.getPropertyValue(name).trim();
      if (value) chosen[name] = value;
    }
    this.#post("theme", { theme: this.getAttribute("theme") ?? "auto", variables: chosen });
  }

  #heard(event: MessageEvent<Message | undefined>): void {
    const message = event.data;
    if (!this.#frame || event.source !== this.#frame.contentWindow || event.origin !== site || message?.embed !== 1) return;
    const { embed: _, type, ...detail } = message;
    clearTimeout(this.#silence);
    switch (type) {
      case "hello":
        this.#dress();
        this.#frame.style.opacity = "1";
        this.#renewIn(Number(detail["seconds"]) * 1000);
        break;
      case "height":
        if (this.getAttribute("height") !== "fixed") this.#frame.style.height = `${Math.max(80, Number(detail["height"]) || 0)}px`;
        break;
      case "filter":
        this.#query = String(detail["query"] ?? "");
        this.#fire("filter", detail);
        break;
      case "expired":
        void this.#renew();
        break;
      case "reload":
        this.#query = String(detail["query"] ?? "");
        void this.#load(this.#query);
        break;
      case "done": {
        const waits = this.#answers.get(Number(detail["call"]));
        this.#answers.delete(Number(detail["call"]));
        if (typeof detail["error"] === "string") waits?.reject(new Error(detail["error"]));
        else waits?.resolve(detail["value"]);
        break;
      }
      case "error":
        this.#frame.style.opacity = "1";
        this.#fire("error", detail);
        break;
      case "ready":
      case "click":
        this.#fire(type, detail);
    }
  }

  #renewIn(lasts: number): void {
    clearTimeout(this.#renewal);
    this.#renewal = window.setTimeout(() => void this.#renew(), Math.max(1000, lasts > 2 * ahead ? lasts - ahead : lasts / 2));
    this.#lasts = lasts;
  }

  #lasts = 0;

  async #renew(): Promise<void> {
    try {
      const token = await this.#ask();
      this.#post("token", { token });
      this.#renewIn(this.#lasts);
    } catch (error) {
      this.#fail("embed.token", error);
      clearTimeout(this.#renewal);
      this.#renewal = window.setTimeout(() => void this.#renew(), rest);
    }
  }

  #fail(code: string, error: unknown): void {
    this.#fire("error", { code, message: error instanceof Error ? error.message : String(error) });
  }

  #fire(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

if (!customElements.get(tag)) customElements.define(tag, EmbeddedDashboard);
