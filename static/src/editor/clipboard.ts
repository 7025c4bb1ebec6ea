// Copied widgets are JSON text on the clipboard, so that they can be pasted
// into another dashboard, or into a mail. What is pasted comes from anywhere:
// here it is checked that it is the text of widgets at all, and of a bearable
// size; the server reads each of them as strictly as a config.
import { isObject, type Json, type JsonObject } from "./document.ts";

export const mostPasted = 50;
const longest = 1_000_000;

export function copyText(widgets: readonly JsonObject[]): string {
  return JSON.stringify({ dataflow: "widgets", widgets }, null, 1);
}

/** The widgets of a pasted text; why not, where it holds none. */
export function readPasted(text: string): JsonObject[] | "invalid" | "many" {
  if (text.length > longest || !text.includes('"dataflow"')) return "invalid";
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
  return good.length > 0 && good.length === list.length ? good : "invalid";
}

function depth(value: Json): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depth));
}
