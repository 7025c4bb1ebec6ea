// The script of a dashboard in another site's frame, or behind a public link. It
// runs before all others: it has their requests carry the token that the page
// came with, and talks with the component around the frame (component.ts) by
// messages {embed: 1, type, …}. Both sides look at who sent one.
//
//   to the site     hello {seconds}          the page is there; its token lasts so long
//                   ready {dashboard, title, widgets, filters}
//                   height {height}
//                   filter {filters, range, query}
//                   click {widget, title, values}
//                   error {code, message}
//                   expired, reload {query}  another token, another page is needed
//                   done {call, value|error} the answer to a call
//   from the site   token {token}
//                   theme {theme, variables}
//                   filter {call, name, values}, refresh {call}, export {call, widget}
import { filtersOf, filterWord, unescapeValue } from "./marks.ts";
import { FetchStream } from "./stream.ts";
import { transport } from "./transport.ts";

interface Given {
  token?: string;
  seconds?: number;
  origins?: string[] | null;
  refresh?: string;
  failed?: boolean;
}

type Message = { embed: 1; type: string } & Record<string, unknown>;

const given = JSON.parse(document.getElementById("df-embed")?.textContent ?? "{}") as Given;
const origins = given.origins ?? [];
const framed = window.parent !== window;
let token = given.token ?? "";
/** Who waits for the next token. */
let waiting: (() => void)[] = [];

function tell(type: string, more: Record<string, unknown> = {}): void {
  if (!framed) return;
  // Only the one that the site around it has gets it.
  for (const origin of origins) window.parent.postMessage({ embed: 1, type, ...more }, origin);
}

transport.headers = () => (token ? { Authorization: `Bearer ${token}` } : {});
transport.stream = (url) => new FetchStream(url, transport.headers);
transport.reload = () => {
  if (framed) tell("reload", { query: location.search.slice(1) });
  else location.reload();
};

function take(next: string): void {
  token = next;
  for (const go of waiting.splice(0)) go();
}

/** Has another token come: from the site around, or for a public link from the server. */
async function renew(): Promise<void> {
  if (given.refresh) {
    const answer = await fetch(given.refresh, { method: "POST", headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const { token: next, seconds } = (await answer.json()) as { token: string; seconds: number };
    take(next);
    soon(seconds);
    return;
  }
  const come = new Promise<void>((resolve) => waiting.push(resolve));
  tell("expired");
  await come;
}

/** The next token of a public link is asked for before this one ends. */
function soon(seconds: number): void {
  if (given.refresh) setTimeout(() => void renew(), Math.max(5, seconds - 60) * 1000);
}

interface RequestContext {
  request: { headers: Record<string, string>; action: string };
  response?: { status: number };
}

document.addEventListener("htmx:config:request", (event) => {
  Object.assign((event as CustomEvent<{ ctx: RequestContext }>).detail.ctx.request.headers, transport.headers());
});
document.addEventListener("htmx:before:response", (event) => {
  if ((event as CustomEvent<{ ctx: RequestContext }>).detail.ctx.response?.status !== 401) return;
  event.preventDefault();
  void renew().then(() => document.querySelector<HTMLElement>("[data-key-refresh]")?.click());
});

/** Files come with the token too: a link alone would not have it. */
async function fetchFile(path: string): Promise<{ blob: Blob; name: string }> {
  let answer = await fetch(path, { headers: transport.headers() });
  if (answer.status === 401) {
    await renew();
    answer = await fetch(path, { headers: transport.headers() });
  }
  if (!answer.ok) throw new Error(`The file can't be had: ${answer.status}`);
  const disposition = answer.headers.get("Content-Disposition") ?? "";
  const encoded = /filename\*=utf-8''([^;]+)/i.exec(disposition)?.[1];
  const name = encoded ? decodeURIComponent(encoded) : (/filename="?([^";]+)"?/.exec(disposition)?.[1] ?? "data.csv");
  return { blob: await answer.blob(), name };
}

function save({ blob, name }: { blob: Blob; name: string }): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A link to a page of the site itself would lead to a sign-in that nobody here has. */
function onLink(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>("a[href]") : null;
  if (!link) return;
  const url = new URL(link.href, location.href);
  if (url.protocol === "blob:") return;
  if (url.origin !== location.origin) {
    link.target = "_blank";
    link.rel = "noopener";
    return;
  }
  if (link.hasAttribute("download")) {
    event.preventDefault();
    link.closest<HTMLElement>("[popover]")?.hidePopover();
    fetchFile(url.pathname + url.search).then(save, (error: unknown) => tell("error", { code: "embed.export", message: String(error) }));
    return;
  }
  // Left clicks are taken by htmx and the dashboard, which ask with the token.
  if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) event.preventDefault();
}
document.addEventListener("click", onLink, { capture: true });
document.addEventListener("auxclick", onLink, { capture: true });
// After all others, which find it as it was.
window.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>("a[href]") : null;
  if (link && new URL(link.href, location.href).origin === location.origin && new URL(link.href, location.href).protocol !== "blob:") event.preventDefault();
});

// ── What the site hears ──

let shown = location.search;

function changed(): void {
  if (location.search === shown) return;
  shown = location.search;
  const query = new URLSearchParams(location.search);
  tell("filter", { filters: filtersOf(query), range: query.get("d"), query: query.toString() });
}
document.addEventListener("htmx:after:swap", changed);
document.addEventListener("htmx:after:history:update", changed);

function clicked(widget: string, mark: string): void {
  const title = document.getElementById(`w-${widget}`)?.getAttribute("aria-label") ?? "";
  tell("click", { widget, title, values: (mark.split(",")[0] ?? "").split("*").map(unescapeValue) });
}
document.addEventListener("df:select", (event) => {
  const { widget, mark } = (event as CustomEvent<{ widget: string; mark: string }>).detail;
  clicked(widget, mark);
});
document.addEventListener("click", (event) => {
  const mark = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-mark]") : null;
  const widget = mark?.closest<HTMLElement>("[data-widget]")?.dataset["widget"];
  if (mark && widget) clicked(widget, mark.dataset["mark"] ?? "");
}, { capture: true });

function describe(): Record<string, unknown> {
  const root = document.querySelector("df-dashboard");
  return {
    dashboard: root?.getAttribute("path")?.split("/").pop() ?? "",
    title: document.title,
    widgets: [...document.querySelectorAll<HTMLElement>("section[data-widget]")].map((each) => ({ id: each.dataset["widget"], title: each.getAttribute("aria-label") ?? "" })),
    filters: [...document.querySelectorAll("df-filter[name^='f.']")].map((each) => each.getAttribute("name")?.slice(2)),
  };
}

// ── What the site asks for ──

const looks: Record<string, { names: string[]; of: string }> = {
  "--embed-background": { names: ["--color-base-200"], of: "color" },
  "--embed-surface": { names: ["--color-base-100", "--df-raised"], of: "color" },
  "--embed-text": { names: ["--color-base-content"], of: "color" },
  "--embed-muted": { names: ["--df-ink-2", "--df-ink-3"], of: "color" },
  "--embed-line": { names: ["--df-line", "--df-grid"], of: "color" },
  "--embed-accent": { names: ["--color-primary", "--df-link", "--df-focus"], of: "color" },
  "--embed-accent-text": { names: ["--color-primary-content"], of: "color" },
  "--embed-radius": { names: ["--radius-box", "--radius-field"], of: "border-top-left-radius" },
  "--embed-font": { names: ["--df-font", "--df-font-head"], of: "font-family" },
  ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7].map((n) => [`--embed-c${n}`, { names: [`--c${n}`], of: "color" }])),
};

/** Takes light or dark, and what the site says of colours, corners and font. */
function dress(theme: unknown, variables: unknown): void {
  const { style, dataset } = document.documentElement;
  for (const [name, { names, of }] of Object.entries(looks)) {
    const value = typeof variables === "object" && variables !== null ? (variables as Record<string, unknown>)[name] : undefined;
    // Nothing that could load something, and nothing that is not of its kind.
    const fits = typeof value === "string" && value.length < 200 && !/url\(|image\(|[;{}]/i.test(value) && CSS.supports(of, value);
    for (const own of names) {
      if (fits) style.setProperty(own, value);
      else style.removeProperty(own);
    }
  }
  // Charts look at it again, also where it stays the same.
  dataset["theme"] = theme === "light" || theme === "dark" ? theme : "auto";
}

function choose(name: unknown, values: unknown): Promise<void> {
  const query = new URLSearchParams(location.search);
  const field = name === "range" ? "d" : `f.${String(name)}`;
  const list = values === null || values === undefined ? [] : (Array.isArray(values) ? (values as (string | null)[]) : [values as string]);
  if (list.length === 0) query.delete(field);
  else query.set(field, name === "range" ? String(list[0]) : filterWord(list.map((each) => (each === null ? null : String(each)))));
  for (const page of [...query.keys()].filter((each) => each.startsWith("p."))) query.delete(page);
  return new Promise((done) => document.querySelector("df-dashboard")?.dispatchEvent(new CustomEvent("df:choose", { detail: { query: query.toString(), done } })));
}

async function perform({ type, name, values, widget }: Message): Promise<unknown> {
  switch (type) {
    case "filter":
      await choose(name, values);
      return undefined;
    case "refresh":
      document.querySelector<HTMLElement>("[data-key-refresh]")?.click();
      return undefined;
    default: {
      const path = document.querySelector("df-dashboard")?.getAttribute("path") ?? "";
      return fetchFile(`${path}/widgets/${encodeURIComponent(String(widget))}/data.csv${location.search}`);
    }
  }
}

window.addEventListener("message", (event: MessageEvent<Message | undefined>) => {
  if (event.source !== window.parent || !origins.includes(event.origin) || event.data?.embed !== 1) return;
  const message = event.data;
  if (message.type === "token" && typeof message["token"] === "string") take(message["token"]);
  else if (message.type === "theme") dress(message["theme"], message["variables"]);
  else if (["filter", "refresh", "export"].includes(message.type)) {
    perform(message).then(
      (value) => tell("done", { call: message["call"], value }),
      (error: unknown) => tell("done", { call: message["call"], error: error instanceof Error ? error.message : String(error) }),
    );
  }
});

function begin(): void {
  const problem = document.querySelector<HTMLElement>("[data-embed-code]");
  if (problem) tell("error", { code: problem.dataset["embedCode"], message: problem.dataset["embedText"] });
  if (document.querySelector("[data-embed-again]")) {
    // The site is not known any more: whoever frames this may load it anew.
    if (framed) window.parent.postMessage({ embed: 1, type: "reload", query: location.search.slice(1) }, "*");
    return;
  }
  const main = document.getElementById("main");
  if (main && framed) {
    let last = 0;
    const measure = (): void => {
      const height = Math.ceil(main.getBoundingClientRect().height);
      if (height !== last) tell("height", { height });
      last = height;
    };
    new ResizeObserver(measure).observe(main);
    measure();
  }
  if (problem || given.failed) return;
  tell("hello", { seconds: given.seconds ?? 0 });
  soon(given.seconds ?? 0);
  // The page is whole once its end is there; it streams in until then.
  if (document.readyState === "complete") tell("ready", describe());
  else window.addEventListener("load", () => tell("ready", describe()), { once: true });
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin, { once: true });
else begin();
