// The tabs of a document: which there are, what stands on them, and the
// operations that change them. Nothing here knows of a page.
import { get, isObject, type JsonObject, type Operation, pointer, setting, widgets } from "./document.ts";
import { desktop, firstFree, readLayout } from "./layout.ts";

export const mostTabs = 20;

const position = (tab: unknown): number => (isObject(tab as JsonObject) && typeof (tab as JsonObject)["position"] === "number" ? ((tab as JsonObject)["position"] as number) : 0);

/** The ids of the tabs from left to right. */
export function tabOrder(doc: JsonObject): string[] {
  const all = doc["tabs"];
  return isObject(all) ? Object.keys(all).sort((a, b) => position(all[a]) - position(all[b]) || (a < b ? -1 : 1)) : [];
}

/** The tab of a widget; those of no tab, or of one that is gone, stand on the
 * first. */
export function tabOf(doc: JsonObject, id: string): string | undefined {
  const order = tabOrder(doc);
  const own = get(doc, pointer("widgets", id, "tab"));
  return typeof own === "string" && order.includes(own) ? own : order[0];
}

/** The document with the widgets of one tab only. */
export function onTab(doc: JsonObject, tab: string | undefined): JsonObject {
  if (tab === undefined) return doc;
  return { ...doc, widgets: Object.fromEntries([...widgets(doc)].filter(([id]) => tabOf(doc, id) === tab)) };
}

/** The operations that carry widgets to another tab, each to the first place
 * that is free there. */
export function carry(doc: JsonObject, ids: readonly string[], tab: string): Operation[] {
  const there = desktop(onTab(doc, tab));
  return ids.flatMap((id) => {
    const { w, h } = readLayout(get(doc, pointer("widgets", id, "layout")));
    const at = firstFree(there, w, h, 12);
    there.set(id, at);
    return [setting(doc, pointer("widgets", id, "tab"), tab), setting(doc, pointer("widgets", id, "layout"), { ...at })].filter((each) => each !== null);
  });
}

/** The operations that add a tab at the end; where there is none yet, a first
 * one too, for what is there. */
export function addTab(doc: JsonObject, title: (n: number) => string, id: () => string): { operations: Operation[]; tab: string } | undefined {
  const order = tabOrder(doc);
  if (order.length >= mostTabs) return undefined;
  const operations: (Operation | null)[] = [];
  const last = order.length === 0 ? -1 : position(get(doc, pointer("tabs", order.at(-1) as string)));
  let n = order.length;
  let at = last;
  let tab = "";
  for (const _ of order.length === 0 ? [0, 1] : [0]) {
    tab = id();
    at++;
    n++;
    operations.push(setting(doc, pointer("tabs", tab), { title: title(n), position: at }));
  }
  return { operations: operations.filter((each) => each !== null), tab };
}

/** The operations that take a tab away, with what stands on it. The only one
 * leaves its widgets. */
export function removeTab(doc: JsonObject, tab: string): Operation[] {
  const only = tabOrder(doc).length === 1;
  const ids = only ? [] : [...widgets(doc).keys()].filter((id) => tabOf(doc, id) === tab);
  return [...ids.map((id) => setting(doc, pointer("widgets", id), undefined)), setting(doc, pointer("tabs", tab), undefined)].filter((each) => each !== null);
}

/** The operations that bring a tab to another place in the row. */
export function moveTab(doc: JsonObject, tab: string, to: number): Operation[] {
  const order = tabOrder(doc).filter((each) => each !== tab);
  order.splice(Math.min(Math.max(0, to), order.length), 0, tab);
  return order.map((id, i) => setting(doc, pointer("tabs", id, "position"), i)).filter((each) => each !== null);
}
