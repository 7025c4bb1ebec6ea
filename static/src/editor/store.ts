// Where the queue of unsent changes outlives its page: localStorage, under the
// person, the dashboard and the tab. A page that comes later takes over what
// tabs left behind that are gone. A tab that lives holds a lock by the name of
// its entry, so that no other one takes it; where the browser has no locks
// (plain HTTP), taking over too much is harmless, since the ids of the changes
// keep them from being done twice.
//
// Signing out removes all of it (src/signout.ts).
import { isObject, type Json } from "./document.ts";
import type { Act, Change, Store } from "./sync.ts";

export const storedUnder = "df-edit:";

export class Shelf implements Store {
  readonly #all: string;
  readonly #own: string;
  #release: (() => void) | undefined;

  constructor(user: string, path: string, tab: string) {
    this.#all = `${storedUnder}${user}:${path}:`;
    this.#own = this.#all + tab;
    void navigator.locks?.request(this.#own, () => new Promise<void>((done) => (this.#release = done)));
  }

  save(changes: Change[]): void {
    if (changes.length === 0) localStorage.removeItem(this.#own);
    else localStorage.setItem(this.#own, JSON.stringify(changes));
  }

  /** Takes what tabs left that are gone, the oldest first. The entries stay
   * until done is called. */
  async left(): Promise<{ changes: Change[]; done: () => void }> {
    const found: { key: string; changes: Change[] }[] = [];
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(this.#all) || key === this.#own) continue;
      const take = (): void => {
        found.push({ key, changes: parseChanges(localStorage.getItem(key) ?? "") });
      };
      if (navigator.locks) await navigator.locks.request(key, { ifAvailable: true }, (lock) => lock && take());
      else take();
    }
    const first = ({ changes }: { changes: Change[] }): string => changes[0]?.change_id ?? "";
    found.sort((a, b) => (first(a) < first(b) ? -1 : 1));
    return {
      changes: found.flatMap(({ changes }) => changes),
      done: () => {
        for (const { key } of found) localStorage.removeItem(key);
      },
    };
  }

  close(): void {
    this.#release?.();
  }
}

/** Reads stored changes; what does not look like one is left out. */
export function parseChanges(text: string): Change[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    return [];
  }
  if (!Array.isArray(list)) return [];
  return (list as Json[]).flatMap((each): Change[] => {
    if (!isObject(each) || typeof each["change_id"] !== "string") return [];
    const { change_id, operations, act, seen, sent } = each;
    const base = { change_id, ...(typeof seen === "number" ? { seen } : {}), ...(sent === true ? { sent: true } : {}) };
    if (isObject(act) && typeof act["kind"] === "string") return [{ ...base, act: act as Act }];
    if (!Array.isArray(operations)) return [];
    const good = operations.flatMap((o) =>
      isObject(o) && typeof o["op_id"] === "string" && typeof o["path"] === "string" ? [{ ...o, op_id: o["op_id"], path: o["path"] }] : [],
    );
    return good.length === operations.length ? [{ ...base, operations: good }] : [];
  });
}
