// The print page. It opens without a sheet (PrintStage) and makes ready what any
// sheet needs: scripts, fonts, shapes of maps. Then window.dataflowShow brings a
// sheet (PrintPage) in, and once its fonts, images, charts and maps stand, the
// browser that prints it is told by window.dataflowReady({failed}) which widgets
// went wrong. Those show a sentence instead.
import { pictureOf } from "./picture.ts";

declare global {
  interface Window {
    /** Given by platform/browser: called once the stage is ready, and once the sheet is. */
    dataflowReady?: (said: string) => Promise<void>;
    /** Shows the sheet of a path, once. */
    dataflowShow?: (path: string) => Promise<void>;
    /** The markup of an SVG of what a selector finds. */
    dataflowPicture?: (selector: string) => string;
  }
}

const waiting = new Set<Element>();
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

/** Charts measure texts: the fonts have to be there before them. */
async function fonts(): Promise<void> {
  const family = getComputedStyle(document.body).fontFamily;
  await Promise.all([400, 500, 600].map((weight) => document.fonts.load(`${weight} 12px ${family}`)));
}

async function prepare(): Promise<void> {
  const charts = import("./charts.ts").then(({ load }) => load());
  const maps = import("./papermap.ts").then(({ ready }) => ready).catch(() => undefined); // they say themselves what is wrong
  await Promise.all([fonts(), charts, maps]);
  window.dataflowShow = show;
  window.dataflowPicture = pictureOf;
  await window.dataflowReady?.("");
}

async function show(path: string): Promise<void> {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`the sheet was refused: ${answer.status}`);
  // Scripts of a parsed document do not run; its style sheets are ours to add.
  const sheet = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.documentElement.lang = sheet.documentElement.lang;
  document.title = sheet.title;
  for (const style of sheet.querySelectorAll("head style")) {
    const own = new CSSStyleSheet();
    own.replaceSync(style.textContent ?? "");
    document.adoptedStyleSheets.push(own);
    style.remove();
  }
  document.body.className = sheet.body.className;
  document.head.append(...sheet.head.querySelectorAll("script[type='application/json']"));
  await fonts(); // a brand may have others
  for (const element of sheet.querySelectorAll("df-chart, df-map")) waiting.add(element);
  document.body.replaceChildren(...sheet.body.childNodes);
  void finish();
}

async function finish(): Promise<void> {
  // A drawing without room would never come.
  for (const element of [...waiting]) if (element.clientWidth === 0 || element.clientHeight === 0) fail(element);
  if (waiting.size === 0) settle();
  await drawn;
  await Promise.all([...document.images].map((image) => image.decode().catch(() => undefined)));
  await document.fonts.ready;
  await window.dataflowReady?.(JSON.stringify({ failed: [...failed] }));
}

void prepare();

