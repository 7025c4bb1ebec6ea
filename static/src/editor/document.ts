// A dashboard as the editor sees it: its config with the name beside the keys,
// as plain JSON. Nothing here changes a document in place: what did not change
// is shared between the old one and the new, so `===` tells what changed.
//
// Paths are JSON Pointers (RFC 6901). The rules of `apply` are those of the
// server (domain/dashboards/edit.go): what comes later wins, objects on the way
// to a value are made, an operation below a widget or filter that is gone does
// nothing.

export type Json = null | boolean | number | string | Json[] | JsonObject;

export interface JsonObject {
  [key: string]: Json;
}

/** One change at one path; without after it removes, without before it adds. */
export interface Operation {
  op_id: string;
  path: string;
  before?: Json;
  after?: Json;
}

/** Where something stands, in columns and rows. */
export interface Layout {
  x: number;
  y: number;
  w: number;
  h: number;
}

/** What the editor itself reads of a widget; everything else is the server's. */
export interface Widget extends JsonObject {
  type: string;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function parsePointer(path: string): string[] {
  if (path === "") return [];
  return path
    .slice(1)
    .split("/")
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export function pointer(...keys: string[]): string {
  return keys.map((key) => `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function child(value: Json | undefined, key: string): Json | undefined {
  if (Array.isArray(value)) return /^(0|[1-9]\d{0,5})$/.test(key) ? value[Number(key)] : undefined;
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** The value at path; undefined where there is none. */
export function get(doc: Json, path: string): Json | undefined {
  let at: Json | undefined = doc;
  for (const key of parsePointer(path)) at = child(at, key);
  return at;
}

/** Tells whether two values are the same JSON, whatever the order of keys. */
export function same(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, i) => same(each, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

/** Tells whether the last of the keys is the id of a widget, filter or tab. Such
 * a one is never made on the way: what is gone stays gone. */
function isKeyed(keys: readonly string[]): boolean {
  return keys.length === 2 && (keys[0] === "widgets" || keys[0] === "filters" || keys[0] === "tabs");
}

function put(value: Json, keys: readonly string[], depth: number, after: Json | undefined): Json | undefined {
  const key = keys[depth];
  if (key === undefined) return after;
  let now = child(value, key);
  if (depth + 1 < keys.length) {
    if (now === undefined) {
      if (!isObject(value) || after === undefined || isKeyed(keys.slice(0, depth + 1))) return undefined;
      now = {};
    }
    after = put(now, keys, depth + 1, after);
    if (after === undefined) return undefined;
  }
  if (Array.isArray(value)) {
    // The elements of a list come and go with the list.
    return now === undefined || after === undefined ? undefined : value.with(Number(key), after);
  }
  if (!isObject(value)) return undefined;
  if (after === undefined) {
    const { [key]: _, ...others } = value;
    return others;
  }
  // Not by assignment: a key may be named like something of Object.
  return Object.fromEntries([...Object.entries(value).filter(([name]) => name !== key), [key, after]]);
}

/** The document with the operation done; undefined where it can't be: what it
 * changes is gone. */
export function apply(doc: JsonObject, { path, after }: Operation): JsonObject | undefined {
  const keys = parsePointer(path);
  if (keys.length === 0) return isObject(after) ? after : undefined;
  const done = put(doc, keys, 0, after);
  return isObject(done) ? done : undefined;
}

/** The document with all operations done that can be. */
export function applyAll(doc: JsonObject, operations: readonly Operation[]): JsonObject {
  return operations.reduce((at, each) => apply(at, each) ?? at, doc);
}

function operation(path: string, before: Json | undefined, after: Json | undefined): Operation {
  return {
    op_id: uuid(),
    path,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  };
}

/** The operation that makes value (undefined: nothing) stand at path; null
 * where it stands there already. */
export function setting(doc: JsonObject, path: string, value: Json | undefined): Operation | null {
  const now = get(doc, path);
  return same(now, value) ? null : operation(path, now, value);
}

/** The operations that lead from one document to another: as deep as objects
 * go, lists as a whole. */
export function diff(from: Json | undefined, to: Json | undefined, path = ""): Operation[] {
  if (same(from, to)) return [];
  if (!isObject(from) || !isObject(to)) return [operation(path, from, to)];
  return [...new Set([...Object.keys(from), ...Object.keys(to)])].flatMap((key) => diff(child(from, key), child(to, key), path + pointer(key)));
}

/** The ids of the widgets that operations touch. */
export function touched(operations: readonly { path: string }[]): Set<string> {
  const found = new Set<string>();
  for (const { path } of operations) {
    const [first, id] = parsePointer(path);
    if (first === "widgets" && id !== undefined) found.add(id);
  }
  return found;
}

export function widgets(doc: JsonObject): Map<string, Widget> {
  const all = doc["widgets"];
  return new Map(isObject(all) ? Object.entries(all).filter((entry): entry is [string, Widget] => isObject(entry[1])) : []);
}

/** A name of a change or an operation: a UUID of version 7, in the order of time. */
export function uuid(now = Date.now()): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const time = now.toString(16).padStart(12, "0");
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const tail = [...bytes.slice(6)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const hex = time + tail;
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
