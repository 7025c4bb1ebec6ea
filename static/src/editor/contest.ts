// Who loses what they had set. The log keeps a widget's place as one value, so
// what one person set goes when somebody else moves or resizes the widget. Those
// that only gave way to another widget were not set by anybody.
import { apply, get, isObject, type Json, type JsonObject, type Operation, same } from "./document.ts";
import { overlap, readLayout } from "./layout.ts";
import type { Logged } from "./sync.ts";

/** A value that this person had set, or is writing, and that somebody else has changed. */
export interface Changed {
  path: string;
  /** Who it was; "" for a program. */
  user: string;
  /** What stood there before the change, and stands there now. */
  before: Json | undefined;
  after: Json | undefined;
  /** What this person had set lately; none where it is only being written. */
  mine?: { after: Json | undefined };
  writing: boolean;
}

/** Tells whether one path is the other, or below it. */
const within = (path: string, whole: string): boolean => path === whole || path.startsWith(`${whole}/`);

/** When somebody set something, and the revision that it made. */
interface Moment {
  at: number;
  rev: number;
}

/** Tells whether somebody who changes what was set then is to be told on: it was
 * not long ago, or they had not seen it: they held it, or were offline. */
const contested = (set: Moment, ms: number, now: number, seen?: number): boolean => now - set.at <= ms || (seen !== undefined && seen < set.rev);

/** What this person set lately, by path; places and sizes are kept by Places. */
export class Values {
  readonly #user: string;
  readonly #set = new Map<string, Moment & { before: Json | undefined; after: Json | undefined }>();

  constructor(user: string) {
    this.#user = user;
  }

  /** Tells whether this person has set the value at a path, or one below it, lately
   * or since what is seen. */
  has(whole: string, now = Date.now(), seen?: number): boolean {
    return [...this.#set].some(([path, set]) => within(path, whole) && contested(set, lately, now, seen));
  }

  /** Takes in what was done, in the order of the log, and answers what this person
   * has lost by it. A program, and what the server works out, changes a value as
   * a whole: what was set below it may go with it, and a part may go of what was
   * set as a whole. writing: what the person is typing will be written there. That
   * a widget was deleted is not told here. */
  hear(operations: readonly Logged[], writing?: string, now = Date.now()): Changed[] {
    const lost: Changed[] = [];
    for (const { path, before, after, rev, seen, user_id: user = "" } of operations) {
      if (placeOf({ op_id: "", path })) continue;
      if (user === this.#user) {
        for (const below of [...this.#set.keys()]) if (within(below, path)) this.#set.delete(below);
        this.#part(path, after);
        this.#set.set(path, { before, after, at: now, rev });
        continue;
      }
      if (after === undefined && /^\/widgets\/[^/]+$/.test(path)) {
        this.#set.delete(path);
        continue;
      }
      for (const each of new Set([...this.#set.keys(), ...(writing === undefined ? [] : [writing])].filter((one) => within(one, path)))) {
        // Its own change came later, which the server says by itself.
        if (operations.some((own) => own.user_id === this.#user && own.rev > rev && within(each, own.path))) continue;
        const side = (value: Json | undefined): Json | undefined => (value === undefined ? undefined : get(value, each.slice(path.length)));
        const known = this.#set.get(each);
        const value = side(after);
        const mine = known && contested(known, lately, now, seen) && !same(known.after, value) ? { after: known.after } : undefined;
        if (!same(known?.after, value) || each === path) this.#set.delete(each);
        // Of a whole value that came anew only what is another is a change.
        if (!mine && (each !== writing || same(side(before), value))) continue;
        lost.push({ path: each, user, before: side(before), after: value, ...(mine ? { mine } : {}), writing: each === writing });
      }
      if (operations.some((own) => own.user_id === this.#user && own.rev > rev && within(path, own.path))) continue;
      for (const { known, mine, meant } of this.#part(path, after)) {
        if (meant && !same(mine, after) && contested(known, lately, now, seen)) lost.push({ path, user, before, after, mine: { after: mine }, writing: false });
      }
    }
    return lost;
  }

  /** Puts a new value into what was set as a whole above it; answers what this
   * person had there, and whether setting the whole had changed it. In a widget or
   * dashboard of one's own everything is new, and nothing of it was meant. */
  #part(path: string, after: Json | undefined): { known: Moment; mine: Json | undefined; meant: boolean }[] {
    return [...this.#set].flatMap(([whole, known]) => {
      if (path === whole || !within(path, whole) || /^(\/widgets\/[^/]+)?$/.test(whole) || known.after === undefined) return [];
      const below = path.slice(whole.length);
      const put = (value: Json | undefined): Json | undefined =>
        value === undefined ? undefined : apply({ value }, { op_id: "", path: `/value${below}`, ...(after === undefined ? {} : { after }) })?.["value"] ?? value;
      const [mine, old] = [get(known.after, below), known.before === undefined ? undefined : get(known.before, below)];
      [known.before, known.after] = [put(known.before), put(known.after)];
      return [{ known, mine, meant: !same(mine, old) }];
    });
  }
}

/** For how long somebody is told that what they set has been changed, in ms. Who
 * moves a widget later has seen where it was put. */
export const lately = 120_000;
const justNow = 30_000;

/** A place or size that this person had set and that somebody else has changed. */
export interface Lost {
  /** Of the layout: "/widgets/ID/layout". */
  path: string;
  widget: string;
  /** Who it was; "" for a program. */
  user: string;
  /** What this person had set, of x, y, w and h. */
  mine: JsonObject;
}

interface Place {
  path: string;
  widget: string;
  before: JsonObject;
  after: JsonObject;
}

/** The place that an operation sets; undefined where it is about something else. */
export function placeOf({ path, before, after }: Operation): Place | undefined {
  const [, whole, id, key] = /^(\/widgets\/([^/]+)\/(?:layout|layouts\/(?:tablet|phone)))(?:\/([xywh]))?$/.exec(path) ?? [];
  if (whole === undefined || id === undefined) return undefined;
  const side = (value: Json | undefined): JsonObject => (key !== undefined ? (value === undefined ? {} : { [key]: value }) : isObject(value) ? value : {});
  return { path: whole, widget: id.replaceAll("~1", "/").replaceAll("~0", "~"), before: side(before), after: side(after) };
}

/** Tells whether a widget only made room for others of the same change, whose
 * first operation is about what was held. On a phone y is an order. */
function gaveWay(place: Place, change: readonly Place[]): boolean {
  const { before, after } = place;
  if (change[0]?.path === place.path) return false;
  if (Object.keys(before).length === 0) return true;
  if (before["w"] !== after["w"] || before["h"] !== after["h"]) return false;
  if (after["x"] === undefined) return Math.abs(Number(after["y"]) - Number(before["y"])) <= 1;
  const from = readLayout(before);
  return change.some((each) => each.path !== place.path && overlap(readLayout(each.after), from));
}

export class Places {
  readonly #user: string;
  readonly #set = new Map<string, Map<string, Moment & { value: Json }>>();

  constructor(user: string) {
    this.#user = user;
  }

  /** Tells whether this person has set where a widget stands, lately or since what
   * is seen. */
  has(widget: string, now = Date.now(), seen?: number): boolean {
    return [...this.#set].some(([path, keys]) => placeOf({ op_id: "", path })?.widget === widget && [...keys.values()].some((set) => contested(set, justNow, now, seen)));
  }

  /** Takes in what was done, in the order of the log, and answers what this person
   * has lost by it. sent: this person's own operations as they were sent, whose
   * before is what the person saw. */
  hear(operations: readonly Logged[], sent: readonly Operation[] = [], now = Date.now()): Lost[] {
    const lost: Lost[] = [];
    for (const operation of operations) {
      const place = placeOf(operation);
      const { user_id: user = "", rev, seen, change_id, path: full } = operation;
      if (!place) continue;
      const { path, widget, after } = place;
      const change = operations.filter((each) => each.change_id === change_id).flatMap((each) => placeOf(each) ?? []);
      const known = this.#set.get(path) ?? new Map<string, Moment & { value: Json }>();
      const aside = gaveWay(place, change);
      if (user === this.#user) {
        const own = sent.find((each) => each.op_id === operation.op_id);
        const before = (own && placeOf({ ...own, path: full })?.before) ?? place.before;
        for (const [key, value] of Object.entries(after)) {
          const set = known.get(key);
          if ((set && contested(set, justNow, now)) || (!aside && operation.undoes === undefined && before[key] !== value)) known.set(key, { value, at: now, rev });
          else if (set?.value !== value) known.delete(key);
        }
        this.#set.set(path, known);
        continue;
      }
      // Its own change came later: it has won.
      if (operations.some((each) => each.user_id === this.#user && each.rev > rev && placeOf(each)?.path === path)) continue;
      const gone = [...known].filter(([key, { value }]) => key in after && after[key] !== value);
      const mine = gone.filter(([, set]) => contested(set, justNow, now, seen)).map(([key, { value }]) => [key, value] as const);
      for (const [key] of gone) known.delete(key);
      if (!aside && mine.length > 0) lost.push({ path, widget, user, mine: Object.fromEntries(mine) });
    }
    return lost;
  }
}
