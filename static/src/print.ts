// The print page: waits until fonts, images, charts and maps stand, then tells
// the browser that prints it by window.dataflowReady({failed}), once, with the
// widgets whose drawing went wrong. Those show a sentence instead.
declare global {
  interface Window {
    /** Given by platform/browser; absent where a person opens the page. */
    dataflowReady?: (said: string) => Promise<void>;
  }
}

const waiting = new Set<Element>(document.querySelectorAll("df-chart, df-map"));
const failed = new Set<string>();
let settle: () => void = () => undefined;
const drawn = new Promise<void>((resolve) => {
  settle = resolve;
});

function done(element: Element): void {
  waiting.delete(element);
  if (waiting.size === 0) settle();
}

function fail(element: Element): void {
  failed.add(element.closest("[data-widget]")?.getAttribute("data-widget") ?? "");
  if (element.localName === "df-chart") {
    const note = document.createElement("p");
    note.className = "map-note";
    note.textContent = element.getAttribute("text-failed");
    element.replaceChildren(note);
  }
  done(element);
}

/** What goes wrong outside of one drawing leaves those that are not done yet. */
function failRest(): void {
  for (const element of [...waiting]) fail(element);
}

document.addEventListener("df:drawn", (event) => done(event.target as Element));
document.addEventListener("df:failed", (event) => fail(event.target as Element));
window.addEventListener("error", failRest);
window.addEventListener("unhandledrejection", failRest);

async function start(): Promise<void> {
  // Charts measure texts: the fonts have to be there first.
  await document.fonts.ready;
  const modules: Promise<unknown>[] = [];
  if (document.querySelector("df-chart")) modules.push(import("./charts.ts"));
  if (document.querySelector("df-map")) modules.push(import("./papermap.ts"));
  await Promise.all(modules);
  // A drawing without room would never come.
  for (const element of [...waiting]) if (element.clientWidth === 0 || element.clientHeight === 0) fail(element);
  if (waiting.size === 0) settle();
  await drawn;
  await Promise.all([...document.images].map((image) => image.decode().catch(() => undefined)));
  await document.fonts.ready;
  await window.dataflowReady?.(JSON.stringify({ failed: [...failed] }));
}

void start();

export {};
