// Copied widgets are JSON text on the clipboard, so that they can be pasted
// into another dashboard, or into a mail. What is pasted comes from anywhere:
// here it is checked that it is the text of widgets at all, and of a bearable
// size; the server reads each of them as strictly as a config.
import { isObject, type Json, type JsonObject } from "./document.ts";

export const mostPasted = 50;
const longest = 1_000_000;

/** What is copied: widgets, and the filters that are shown by them. */
export interface Copied {
  widgets: JsonObject[];
  filters: JsonObject;
}

export function copyText({ widgets, filters }: Copied): string {
  return JSON.stringify({ dataflow: "widgets", widgets, ...(Object.keys(filters).length > 0 ? { filters } : {}) }, null, 1);
}

/** What a pasted text holds; why not, where it holds no widgets. */
export function readPasted(text: string): Copied | "invalid" | "large" | "many" {
  if (!text.includes('"dataflow"')) return "invalid";
  if (text.length > longest) return "large";
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return "invalid";
  }
  if (!isObject(value) || value["dataflow"] !== "widgets" || !Array.isArray(value["widgets"])) return "invalid";
  const list = value["widgets"];
  if (list.length > mostPasted) return "many";
  const good = list.filter((each): each is JsonObject => isObject(each) && typeof each["type"] === "string" && depth(each) <= 12);
  const filters = value["filters"] ?? {};
  return good.length > 0 && good.length === list.length && isObject(filters) && depth(filters) <= 12 ? { widgets: good, filters } : "invalid";
}

function depth(value: Json): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depth));
}
