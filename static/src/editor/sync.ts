// The way of changes between the browser and the log of the server.
//
// `confirmed` is the document at revision `rev` of the server's log. What the
// person did since lies in a queue, in order; the view is confirmed with the
// queue on top. One request is under way at a time. Every answer brings all
// operations after our revision, our own among them: they become confirmed,
// and what is left of the queue is put on top again. So whoever has nothing
// unsent shows exactly what the server has.
//
// A change that was sent keeps its ids until it is answered: sending it twice
// (the answer was lost, the page was loaded anew) changes nothing twice. One
// that was not sent yet takes up later changes at the same paths.
import { apply, applyAll, type JsonObject, type Json, type Operation, same, uuid } from "./document.ts";

export interface Act extends JsonObject {
  kind: string;
}

/** An operation as the log keeps it. */
export interface Logged extends Operation {
  rev: number;
  change_id?: string;
  /** Who did it; none for a program: a file that was applied, a key. */
  user_id?: string;
  /** The name of somebody else who did it. */
  user?: string;
  at?: string;
  /** Up to which revision its author had seen the draft. */
  seen?: number;
  /** The change that this takes back. */
  undoes?: string;
}

interface Overwritten {
  path: string;
  user: string;
  value?: Json;
  /** All of it in words. */
  text?: string;
}

/** What somebody else made of what undo would change. */
export interface Conflict {
  path: string;
  /** A name; "" where there is none. */
  user: string;
  value?: Json;
  mine?: Json;
}

export type Conflicted = { done: false; conflicts: Conflict[]; texts: string[] };

/** A change in words: "moving Sales by channel". */
export interface Deed {
  verb: string;
  object?: string;
  count?: number;
}

/** What the server says to a change. */
export interface Answer {
  rev: number;
  operations: Logged[];
  overwrote?: Overwritten[];
  skipped?: string[];
  /** What was undone or done again changed nothing. */
  nothing?: boolean;
  undo?: Deed;
  redo?: Deed;
  saved_at?: string;
  select?: string[];
  /** Of a list of operations that has one's own among them: done in another tab. */
  mine?: { undo?: Deed; redo?: Deed };
}

interface Problem {
  error?: { code?: string; message?: string };
  conflicts?: Conflict[];
  /** The conflicts in words. */
  texts?: string[];
}

/** A change in the queue: operations, or an act that the server works out. */
export interface Change {
  change_id: string;
  operations?: Operation[];
  act?: Act;
  /** The revision that was seen as it was done, or as what it moves was taken up. */
  seen?: number;
  /** It may have reached the server. */
  sent?: boolean;
}

export type State =
  | { name: "saved"; at: string }
  | { name: "saving" }
  | { name: "retrying" }
  | { name: "offline" }
  | { name: "signed_out" }
  | { name: "ended"; sentence: string };

/** What happened, for whoever shows it. */
export interface Events {
  /** The view is another one. ids: the widgets that changed; mine: by the
   * person in this tab and just now. */
  changed(ids: Set<string>, mine: boolean): void;
  /** The server's log went on: tiles may have to be asked for. sent: those of
   * the change that this answers, as they were sent. */
  confirmed(operations: Logged[], sent: readonly Operation[]): void;
  state(): void;
  overwrote(list: Overwritten[]): void;
  /** Operations that had no place any more. */
  skipped(operations: Operation[]): void;
  refused(sentence: string): void;
  select(ids: string[]): void;
}

/** Where a queue outlives its page. */
export interface Store {
  /** Throws where there is no room. */
  save(changes: Change[]): void;
}

export interface Options {
  path: string;
  rev: number;
  doc: JsonObject;
  savedAt: string;
  fetch: (path: string, init: RequestInit) => Promise<Response>;
  store: Store;
  events: Events;
  /** Calls back after ms; the answer gives that up. */
  later: (ms: number, call: () => void) => () => void;
  online: () => boolean;
}

/** What can be undone and done again; the deed only where the server knows it. */
export interface History {
  canUndo: boolean;
  canRedo: boolean;
  undo?: Deed | undefined;
  redo?: Deed | undefined;
}

/** How a change is taken back where somebody else changed the same since: not
 * without asking, all the same, or not at all: it is passed over. */
export type Way = "ask" | "force" | "leave";

export type Outcome = { done: true; nothing?: boolean } | Conflicted | { done: false; sentence: string } | { done: false };

const shortestWait = 1000;
const longestWait = 30_000;
/** A request that takes longer is given up and sent again. */
const patience = 20_000;
/** The code of what is missing or hidden within a dashboard, which itself is
 * still there: a widget that somebody removed, a dataset out of reach. */
const ofAPart = /^(?!dashboards\.not_found$)(dashboards|datasets)\.(\w+_)?not_found$|^dashboards\.data_hidden$|^datasets\.limited$/;
/** What the server takes in one request. */
const mostOperations = 400;

export class Sync {
  readonly #options: Options;
  #rev: number;
  #confirmed: JsonObject;
  #view: JsonObject;
  #queue: Change[] = [];
  /** What was undone and can be done again, the last one at the end: a change
   * that was never sent, or null for one that the server undid. */
  #undone: (Change | null)[] = [];
  #stored = true;
  /** Who waits for what becomes of an act, by its change. */
  readonly #outcomes = new Map<string, (refused?: string) => void>();
  #turn: Promise<void> = Promise.resolve();
  #running = false;
  /** The revision that the server has told of. */
  #told = 0;
  #tries = 0;
  #stopWaiting: (() => void) | undefined;
  #ended = false;
  #savedAt = "";
  #state: State;
  #deeds: { undo?: Deed | undefined; redo?: Deed | undefined };

  constructor(options: Options, deeds: { undo?: Deed | undefined; redo?: Deed | undefined } = {}) {
    this.#options = options;
    this.#rev = options.rev;
    this.#confirmed = options.doc;
    this.#view = options.doc;
    this.#state = { name: "saved", at: options.savedAt };
    this.#deeds = deeds;
  }

  get view(): JsonObject {
    return this.#view;
  }
  get rev(): number {
    return this.#rev;
  }
  get state(): State {
    return this.#state;
  }
  /** How many changes wait to be answered. */
  get waiting(): number {
    return this.#queue.length;
  }
  /** What was done and is in no answer yet: operations, and acts. */
  get unsent(): readonly Operation[] {
    return this.#queue.flatMap(({ operations }) => operations ?? []);
  }
  get acts(): readonly Act[] {
    return this.#queue.flatMap(({ act }) => act ?? []);
  }
  /** Something would be lost if the page went away now. */
  get atRisk(): boolean {
    return this.#queue.length > 0 && !this.#stored;
  }
  get history(): History {
    const local = this.#undone.at(-1);
    return {
      canUndo: this.#queue.length > 0 || this.#deeds.undo !== undefined,
      canRedo: Boolean(local) || this.#deeds.redo !== undefined,
      undo: this.#queue.length === 0 ? this.#deeds.undo : undefined,
      redo: local ? undefined : this.#deeds.redo,
    };
  }

  /** Takes over the queue that an earlier page left behind. */
  adopt(changes: readonly Change[]): void {
    const known = new Set(this.#queue.map((change) => change.change_id));
    this.#queue.unshift(...changes.filter((change) => !known.has(change.change_id)));
    this.#rebase(false);
    this.#save();
    void this.#run();
  }

  /** Does operations at once, as one change, and sends them in their turn.
   * Those of unsent changes at the same paths become part of them. What can no
   * longer be sent stays in the queue: nothing that was typed goes. seen: as of a
   * Change. */
  edit(operations: readonly Operation[], seen = this.#rev): void {
    const wanted = operations.filter((each) => !same(each.before, each.after));
    if (wanted.length === 0) return;
    this.#undone = [];
    const last = this.#queue.at(-1);
    if (last?.operations && !last.sent && samePaths(last.operations, wanted)) {
      const after = new Map(wanted.map((each) => [each.path, each.after]));
      last.operations = last.operations.flatMap(({ op_id, path, before }) => {
        const value = after.get(path);
        if (same(before, value)) return [];
        return [{ op_id, path, ...(before === undefined ? {} : { before }), ...(value === undefined ? {} : { after: value }) }];
      });
      last.seen = seen;
      if (last.operations.length === 0) this.#queue.pop();
    } else {
      for (let i = 0; i < wanted.length; i += mostOperations) {
        this.#queue.push({ change_id: uuid(), operations: wanted.slice(i, i + mostOperations), seen });
      }
    }
    this.#rebase(true);
    this.#save();
    void this.#run();
  }

  /** Asks the server to do something that it works out itself. Whoever waits
   * for the outcome is told once: why it was refused, or nothing when it was
   * done or is kept until the server can be asked. */
  act(act: Act, outcome?: (refused?: string) => void): void {
    if (this.#ended) {
      outcome?.(this.#state.name === "ended" ? this.#state.sentence : undefined);
      return;
    }
    this.#undone = [];
    const change = { change_id: uuid(), act, seen: this.#rev };
    this.#queue.push(change);
    if (outcome) this.#outcomes.set(change.change_id, outcome);
    this.#save();
    void this.#run();
  }

  /** Somebody else changed something: asks for it. */
  behind(rev: number): void {
    if (rev <= this.#rev || this.#ended) return;
    this.#told = rev;
    void this.#run();
  }

  /** The network may be back, or the person has signed in again. */
  now(): void {
    if (this.#ended) return;
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
    this.#tries = 0;
    void this.#run();
  }

  /** The copy of the queue outside of the page is gone. */
  forgotten(): void {
    this.#stored = false;
  }

  undo(way: Way = "ask"): Promise<Outcome> {
    return this.#reverse("undo", way);
  }

  redo(way: Way = "ask"): Promise<Outcome> {
    return this.#reverse("redo", way);
  }

  /** Somebody else's changes are missing here, and no answer is bringing them. */
  get #behind(): boolean {
    return this.#told > this.#rev;
  }

  /** Once everything that was done before has been answered, or can't be now. */
  idle(): Promise<void> {
    return this.#turn;
  }

  async #reverse(which: "undo" | "redo", way: Way): Promise<Outcome> {
    if (this.#ended) return { done: false };
    await this.#run();
    // What was done while the question stood is not what it was about.
    if (way === "leave" && this.#queue.length > 0) return { done: false };
    const local = which === "redo" && this.#undone.at(-1);
    if (local || this.#queue.length > 0 || !this.#options.online()) return which === "undo" ? this.#takeBack() : this.#bringBack();
    const change = uuid();
    const ask = async (again: boolean): Promise<Outcome> => {
      let response: Response;
      try {
        response = await this.#post(`/${which}`, { rev: this.#rev, change_id: change, ...(way === "ask" ? {} : { [way]: true }) });
      } catch {
        // Whether it was done is not known; asking again does it only once.
        if (again) return ask(false);
        this.#wait("retrying");
        return { done: false };
      }
      if (response.ok) {
        if (which === "undo") this.#undone.push(null);
        else this.#undone.pop();
        const answer = (await response.json()) as Answer;
        this.#receive(answer, null);
        this.#saved();
        return { done: true, nothing: answer.nothing === true };
      }
      if (response.status === 401) {
        this.#say({ name: "signed_out" });
        return { done: false };
      }
      const problem = await read(response);
      if (problem.conflicts) return { done: false, conflicts: problem.conflicts, texts: problem.texts ?? [] };
      return { done: false, sentence: problem.error?.message ?? "" };
    };
    // In its turn: no other request is under way meanwhile.
    let outcome: Outcome = { done: false };
    await this.#inTurn(async () => {
      outcome = await ask(true);
    });
    if (this.#queue.length > 0) void this.#run();
    return outcome;
  }

  /** Undo without the server: the last change that was not sent goes. */
  #takeBack(): Outcome {
    const last = this.#queue.at(-1);
    if (!last || last.sent) return { done: false };
    this.#queue.pop();
    this.#undone.push(last);
    this.#rebase(true);
    this.#save();
    return { done: true };
  }

  #bringBack(): Outcome {
    const change = this.#undone.at(-1);
    if (!change) return { done: false };
    this.#undone.pop();
    this.#queue.push(change);
    this.#rebase(true);
    this.#save();
    void this.#run();
    return { done: true };
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const next = this.#turn.then(work);
    this.#turn = next.catch(() => undefined);
    return next;
  }

  /** Sends what waits and fetches what is missing, until there is neither. */
  #run(): Promise<void> {
    if (this.#running || this.#ended || this.#stopWaiting) return this.#turn;
    if (this.#state.name === "signed_out" && this.#tries > 0) return this.#turn;
    if (this.#queue.length === 0 && !this.#behind) {
      // What waited was taken back before it could be sent.
      if (this.#options.online() && (this.#state.name === "offline" || this.#state.name === "retrying")) this.#saved();
      return this.#turn;
    }
    this.#running = true;
    if (this.#queue.length > 0 && this.#state.name === "saved") this.#say({ name: "saving" });
    return this.#inTurn(async () => {
      try {
        while (!this.#ended && (this.#queue.length > 0 || this.#behind)) {
          if (!(await this.#step())) return;
        }
      } finally {
        this.#running = false;
      }
    });
  }

  /** One request; false where it is no use to go on now. */
  async #step(): Promise<boolean> {
    const change = this.#queue[0];
    if (!this.#options.online()) {
      this.#wait("offline");
      return false;
    }
    if (change) {
      this.#say({ name: "saving" });
      if (!change.sent) {
        change.sent = true;
        this.#save();
      }
    }
    let response: Response;
    let body: unknown;
    try {
      response = !change
        ? await this.#get(`/operations?after=${String(this.#rev)}`)
        : change.act
          ? await this.#post("/edit/act", { rev: this.#rev, seen: change.seen, change_id: change.change_id, act: change.act })
          : await this.#post("/operations", { rev: this.#rev, seen: change.seen, change_id: change.change_id, mode: "merge", operations: change.operations });
      body = await response.json().catch(() => ({}));
    } catch {
      this.#wait(this.#options.online() ? "retrying" : "offline");
      return false;
    }
    if (response.ok) {
      this.#tries = 0;
      if (!change) this.#told = 0;
      this.#receive(body as Answer, change ?? null);
      if (this.#queue.length === 0) this.#saved();
      return true;
    }
    return this.#failed(response.status, body as Problem, change);
  }

  #failed(status: number, problem: Problem, change: Change | undefined): boolean {
    if (status === 401) {
      this.#tries = 1;
      this.#say({ name: "signed_out" });
      return false;
    }
    if ((status === 403 || status === 404) && !ofAPart.test(problem.error?.code ?? "")) {
      this.#ended = true;
      this.#say({ name: "ended", sentence: problem.error?.message ?? "" });
      return false;
    }
    if (status >= 500 || status === 408 || status === 429 || !change) {
      this.#wait("retrying");
      return false;
    }
    // It will never be taken: the others go on without it.
    this.#queue.shift();
    this.#rebase(true);
    this.#save();
    if (this.#queue.length === 0) this.#saved();
    const sentence = problem.error?.message ?? "";
    const outcome = this.#outcomes.get(change.change_id);
    this.#outcomes.delete(change.change_id);
    if (outcome) outcome(sentence);
    else this.#options.events.refused(sentence);
    return true;
  }

  #receive(answer: Answer, change: Change | null): void {
    const { events } = this.#options;
    const news = answer.operations.filter((each) => each.rev > this.#rev).sort((a, b) => a.rev - b.rev);
    this.#confirmed = applyAll(this.#confirmed, news);
    this.#rev = Math.max(this.#rev, answer.rev);
    if (change) this.#queue = this.#queue.filter((each) => each !== change);
    if (answer.saved_at) {
      // Only the answer to a change says so; a list of operations does not.
      this.#deeds = { undo: answer.undo, redo: answer.redo };
      this.#savedAt = answer.saved_at;
    } else if (answer.mine) {
      this.#deeds = { undo: answer.mine.undo, redo: answer.mine.redo };
    }
    this.#rebase(false);
    if (change) {
      this.#save();
      const outcome = this.#outcomes.get(change.change_id);
      this.#outcomes.delete(change.change_id);
      outcome?.();
    }
    if (news.length > 0) events.confirmed(news, change?.operations ?? []);
    if (answer.overwrote?.length) events.overwrote(answer.overwrote);
    if (answer.skipped?.length && change?.operations) {
      const gone = new Set(answer.skipped);
      events.skipped(change.operations.filter((each) => gone.has(each.op_id)));
    }
    if (answer.select?.length) events.select(answer.select);
    events.state();
  }

  /** The view is what the server has with the queue on top. */
  #rebase(mine: boolean): void {
    const before = this.#view;
    let view = this.#confirmed;
    for (const { operations } of this.#queue) {
      for (const each of operations ?? []) view = apply(view, each) ?? view;
    }
    this.#view = view;
    const ids = changedWidgets(before, view);
    if (ids) this.#options.events.changed(ids, mine);
  }

  #save(): void {
    try {
      this.#options.store.save(this.#queue);
      this.#stored = true;
    } catch {
      // No room: the page warns before it goes away.
      this.#stored = false;
    }
    this.#options.events.state();
  }

  #saved(): void {
    this.#say({ name: "saved", at: this.#savedAt || new Date().toISOString() });
  }

  #say(state: State): void {
    this.#state = state;
    if (state.name !== "saving" && state.name !== "saved") {
      const waiting = [...this.#outcomes.values()];
      this.#outcomes.clear();
      for (const outcome of waiting) outcome(state.name === "ended" ? state.sentence : undefined);
    }
    this.#options.events.state();
  }

  /** Tries again after a while that doubles each time. */
  #wait(name: "retrying" | "offline"): void {
    this.#say({ name });
    this.#stopWaiting?.();
    const ms = Math.min(shortestWait * 2 ** this.#tries, longestWait);
    this.#tries++;
    this.#stopWaiting = this.#options.later(ms, () => {
      this.#stopWaiting = undefined;
      void this.#run();
    });
  }

  #get(path: string): Promise<Response> {
    return this.#options.fetch(this.#options.path + path, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(patience) });
  }

  #post(path: string, content: unknown): Promise<Response> {
    const body = JSON.stringify(content);
    return this.#options.fetch(this.#options.path + path, {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/json" },
      body,
      // It arrives even where the page goes away meanwhile; browsers keep that
      // up for small ones only.
      keepalive: body.length < 50_000,
      signal: AbortSignal.timeout(patience),
    });
  }
}

async function read(response: Response): Promise<Problem> {
  try {
    return (await response.json()) as Problem;
  } catch {
    return {};
  }
}

function samePaths(a: readonly Operation[], b: readonly Operation[]): boolean {
  const paths = new Set(a.map((each) => each.path));
  return a.length === b.length && b.every((each) => paths.has(each.path));
}

/** The widgets that are not the same in both; null where the documents are. */
function changedWidgets(before: JsonObject, after: JsonObject): Set<string> | null {
  if (before === after || same(before, after)) return null;
  const [a, b] = [before["widgets"] ?? {}, after["widgets"] ?? {}] as [JsonObject, JsonObject];
  const ids = new Set<string>();
  for (const id of new Set([...Object.keys(a), ...Object.keys(b)])) if (a[id] !== b[id] && !same(a[id], b[id])) ids.add(id);
  return ids;
}

