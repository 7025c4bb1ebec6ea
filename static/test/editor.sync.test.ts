// The protocol of the editor against a server of the documented rules, kept in
// memory: what is lost on the way, repeated, offline, and two at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { apply, applyAll, get, type Json, type JsonObject, type Operation, setting, uuid } from "../src/editor/document.ts";
import { type Change, type Conflict, type Logged, Sync } from "../src/editor/sync.ts";

interface Body {
  rev: number;
  change_id: string;
  operations?: Operation[];
  act?: { kind: string; [key: string]: Json };
  force?: boolean;
  leave?: boolean;
}

type Log = Logged & { user: string; undoes?: string };

/** domain/dashboards in small: a log, merged; undo by person. */
class Server {
  doc: JsonObject;
  log: Log[] = [];
  #seen = new Set<string>();
  #undone = new Map<string, string>();
  #next = 0;

  constructor(doc: JsonObject) {
    this.doc = doc;
  }

  get rev(): number {
    return this.log.length;
  }

  after(rev: number): Log[] {
    return this.log.slice(rev);
  }

  answer(user: string, rev: number, more: object = {}): Response {
    const mine = this.changes(user);
    const body = { rev: this.rev, operations: this.after(rev), undo: mine.undo.length > 0 ? { verb: "edit" } : undefined, redo: mine.redo.length > 0 ? { verb: "edit" } : undefined, saved_at: "2026-06-01T12:00:00Z", ...more };
    return Response.json(JSON.parse(JSON.stringify(body)));
  }

  write(user: string, change_id: string, operations: Operation[], undoes?: string): { overwrote: object[]; skipped: string[] } {
    const skipped: string[] = [];
    const overwrote: object[] = [];
    for (const each of operations) {
      if (this.#seen.has(each.op_id)) continue;
      const done = apply(this.doc, each);
      if (!done) {
        skipped.push(each.op_id);
        continue;
      }
      const before = get(this.doc, each.path);
      if (before === undefined && each.after === undefined) continue;
      const other = this.log.findLast((past) => past.path === each.path);
      if (other && other.user !== user) overwrote.push({ path: each.path, user: other.user, value: before });
      this.#seen.add(each.op_id);
      this.doc = done;
      this.log.push({ op_id: each.op_id, path: each.path, ...(before === undefined ? {} : { before }), ...(each.after === undefined ? {} : { after: each.after }), rev: this.rev + 1, change_id, user, ...(undoes ? { undoes } : {}) });
    }
    return { overwrote, skipped };
  }

  changes(user: string): { undo: string[]; redo: string[] } {
    const undo: string[] = [];
    let redo: string[] = [];
    for (const id of new Set(this.log.filter((each) => each.user === user).map((each) => each.change_id as string))) {
      const undoes = this.#undone.get(id);
      if (undoes === undefined) {
        undo.push(id);
        redo = [];
      } else if (undoes.startsWith("redo:")) {
        redo.pop();
        undo.push(id);
      } else {
        undo.splice(undo.lastIndexOf(undoes), 1);
        redo.push(id);
      }
    }
    return { undo, redo };
  }

  reverse(user: string, which: "undo" | "redo", body: Body): Response {
    if (this.#undone.has(body.change_id)) return this.answer(user, body.rev);
    const target = this.changes(user)[which].at(-1);
    if (!target) return Response.json({ error: { code: "dashboards.nothing_to_undo", message: "There is nothing to undo." } }, { status: 409 });
    const operations = this.log.filter((each) => each.change_id === target);
    const conflicts = operations.flatMap((each): Conflict[] => {
      const later = this.log.findLast((past) => past.path === each.path && past.rev > each.rev && past.user !== user);
      return later ? [{ path: each.path, user: later.user }] : [];
    });
    if (conflicts.length > 0 && !body.force && !body.leave) return Response.json({ error: { code: "dashboards.undo_conflict", message: "Somebody changed this since." }, conflicts }, { status: 409 });
    this.#undone.set(body.change_id, which === "undo" ? target : `redo:${target}`);
    if (body.leave) {
      const name = get(this.doc, "/name") ?? "";
      this.write(user, body.change_id, [{ op_id: uuid(), path: "/name", before: name, after: name }]);
      return this.answer(user, body.rev);
    }
    const back = operations.toReversed().map((each): Operation => ({ op_id: uuid(), path: each.path, ...(each.after === undefined ? {} : { before: each.after }), ...(each.before === undefined ? {} : { after: each.before }) }));
    this.write(user, body.change_id, back);
    return this.answer(user, body.rev);
  }

  handle(user: string, path: string, init: RequestInit): Response {
    const pull = /\/operations\?after=(\d+)$/.exec(path);
    if (pull) return Response.json(JSON.parse(JSON.stringify({ rev: this.rev, operations: this.after(Number(pull[1])) })));
    const body = JSON.parse(init.body as string) as Body;
    if (path.endsWith("/operations")) return this.answer(user, body.rev, this.write(user, body.change_id, body.operations ?? []));
    if (path.endsWith("/edit/act")) {
      if (body.act?.kind === "nonsense") return Response.json({ error: { code: "dashboards.act_invalid", message: "That is not possible here." } }, { status: 400 });
      if (this.log.some((each) => each.change_id === body.change_id)) return this.answer(user, body.rev);
      const id = `act${String(this.#next++)}`;
      return this.answer(user, body.rev, { ...this.write(user, body.change_id, [{ op_id: uuid(), path: `/widgets/${id}`, after: { type: "bar", title: user } }]), select: [id] });
    }
    return this.reverse(user, path.endsWith("/undo") ? "undo" : "redo", body);
  }
}

/** A browser with a wire that can be cut before or behind the server. */
class Client {
  sync: Sync;
  online = true;
  stored: Change[] = [];
  full = false;
  fate: (() => "pass" | "lose request" | "lose answer" | number | [status: number, code: string])[] = [];
  timers: (() => void)[] = [];
  heard: { confirmed: Logged[][]; selected: string[][]; refused: string[]; overwrote: object[]; skipped: Operation[] } = { confirmed: [], selected: [], refused: [], overwrote: [], skipped: [] };
  requests: { path: string; body: Body | null }[] = [];
  readonly server: Server;
  readonly name: string;
  #page: object = {};

  constructor(server: Server, name: string) {
    this.server = server;
    this.name = name;
    this.sync = this.load();
  }

  /** A new page: the document of now, and the queue that was left. */
  load(): Sync {
    const left = structuredClone(this.stored);
    // A page that is gone stores nothing more, though its requests may arrive.
    const page = {};
    this.#page = page;
    this.sync = new Sync({
      path: "/dashboards/1", rev: this.server.rev, doc: this.server.doc, savedAt: "2026-06-01T11:00:00Z",
      online: () => this.online,
      later: (_, call) => {
        this.timers.push(call);
        return () => {
          this.timers = this.timers.filter((each) => each !== call);
        };
      },
      store: {
        save: (changes) => {
          if (this.full) throw new Error("quota");
          if (this.#page === page) this.stored = structuredClone(changes);
        },
      },
      fetch: async (path, init) => {
        const fate = this.fate.shift()?.() ?? "pass";
        this.requests.push({ path, body: typeof init.body === "string" ? (JSON.parse(init.body) as Body) : null });
        await tick();
        if (!this.online || fate === "lose request") throw new TypeError("network");
        const [status, code] = typeof fate === "object" ? fate : [fate, "x"];
        if (typeof status === "number") return Response.json({ error: { code, message: "No." } }, { status });
        const answer = this.server.handle(this.name, path, init);
        await tick();
        if (fate === "lose answer") throw new TypeError("network");
        return answer;
      },
      events: {
        changed: () => undefined,
        state: () => undefined,
        confirmed: (operations) => this.heard.confirmed.push(operations),
        select: (ids) => this.heard.selected.push(ids),
        refused: (sentence) => this.heard.refused.push(sentence),
        overwrote: (list) => this.heard.overwrote.push(...list),
        skipped: (list) => this.heard.skipped.push(...list),
      },
    });
    if (left.length > 0) this.sync.adopt(left);
    return this.sync;
  }

  set(path: string, value: Json | undefined): void {
    const operation = setting(this.sync.view, path, value);
    if (operation) this.sync.edit([operation]);
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 50; i++) {
      await this.sync.idle();
      const calls = this.timers.splice(0);
      for (const call of calls) call();
      if (calls.length === 0 && (this.sync.waiting === 0 || !this.online)) return;
    }
  }
}

function tick(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}

const start = (): JsonObject => ({
  name: "Trade",
  widgets: { a: { type: "bar", title: "A", layout: { x: 0, y: 0, w: 3, h: 8 } }, b: { type: "line", title: "B", layout: { x: 3, y: 0, w: 3, h: 8 } } },
});

test("an edit shows at once and is sent", async () => {
  const server = new Server(start());
  const client = new Client(server, "Ann");
  client.set("/widgets/a/title", "Sales");
  assert.equal(get(client.sync.view, "/widgets/a/title"), "Sales");
  assert.equal(client.sync.state.name, "saving");
  await client.settle();
  assert.equal(get(server.doc, "/widgets/a/title"), "Sales");
  assert.deepEqual(client.sync.state, { name: "saved", at: "2026-06-01T12:00:00Z" });
  assert.deepEqual(client.stored, []);
});

test("what was not sent yet takes up later changes at the same path", async () => {
  const server = new Server(start());
  const client = new Client(server, "Ann");
  client.online = false;
  for (const w of [4, 5, 6, 7]) client.set("/widgets/a/layout/w", w);
  client.set("/widgets/b/title", "Orders");
  assert.equal(client.sync.waiting, 2);
  client.online = true;
  client.sync.now();
  await client.settle();
  assert.equal(server.log.length, 2);
  assert.deepEqual([server.log[0]?.before, server.log[0]?.after], [3, 7]);
});

test("back to where it was is no change", async () => {
  const client = new Client(new Server(start()), "Ann");
  client.online = false;
  client.set("/widgets/a/title", "X");
  await client.settle();
  client.set("/widgets/a/title", "Y");
  client.set("/widgets/a/title", "A");
  assert.equal(client.sync.waiting, 0);
});

test("a lost answer does nothing twice", async () => {
  for (const fate of ["lose request", "lose answer", 503, 429] as const) {
    const server = new Server(start());
    const client = new Client(server, "Ann");
    client.fate = [() => fate, () => fate];
    client.set("/widgets/a/title", "Sales");
    client.sync.act({ kind: "add_widget", type: "bar" });
    await client.settle();
    assert.equal(server.log.length, 2, String(fate));
    assert.equal(client.requests.length, 4);
    assert.deepEqual(client.sync.view, server.doc);
    assert.deepEqual(client.heard.selected, [["act0"]]);
  }
});

test("what was sent is not changed any more", async () => {
  const server = new Server(start());
  const client = new Client(server, "Ann");
  client.fate = [() => "lose answer"];
  client.set("/widgets/a/title", "One");
  await client.sync.idle();
  assert.equal(client.sync.state.name, "retrying");
  client.set("/widgets/a/title", "Two");
  assert.equal(client.sync.waiting, 2);
  await client.settle();
  assert.deepEqual(server.log.map((each) => each.after), ["One", "Two"]);
});

test("offline changes outlive the page", async () => {
  const server = new Server(start());
  const client = new Client(server, "Ann");
  client.online = false;
  client.set("/widgets/a/title", "Sales");
  client.set("/widgets/b", undefined);
  await client.sync.idle();
  assert.equal(client.sync.state.name, "offline");
  assert.equal(client.sync.atRisk, false);
  client.load();
  assert.equal(get(client.sync.view, "/widgets/a/title"), "Sales");
  assert.equal(get(client.sync.view, "/widgets/b"), undefined);
  client.online = true;
  client.sync.now();
  await client.settle();
  assert.deepEqual(client.sync.view, server.doc);
  assert.equal(get(server.doc, "/widgets/b"), undefined);
});

test("without room to store, a page would lose something", () => {
  const client = new Client(new Server(start()), "Ann");
  client.full = true;
  client.online = false;
  client.set("/widgets/a/title", "Sales");
  assert.equal(client.sync.atRisk, true);
});

test("a session that is over keeps the queue until the person is back", async () => {
  const server = new Server(start());
  const client = new Client(server, "Ann");
  client.fate = [() => 401];
  client.set("/widgets/a/title", "Sales");
  await client.settle();
  assert.equal(client.sync.state.name, "signed_out");
  client.set("/widgets/b/title", "Orders");
  await client.settle();
  assert.equal(client.requests.length, 1);
  assert.equal(client.stored.length, 2);
  client.sync.now();
  await client.settle();
  assert.deepEqual(client.sync.view, server.doc);
  assert.equal(get(server.doc, "/widgets/b/title"), "Orders");
});

test("no access any more ends it, and the queue stays", async () => {
  const client = new Client(new Server(start()), "Ann");
  client.fate = [() => 404];
  client.set("/widgets/a/title", "Sales");
  await client.settle();
  assert.deepEqual(client.sync.state, { name: "ended", sentence: "No." });
  assert.equal(client.stored.length, 1);
});

test("what is gone within the dashboard is one change less, and no end", async () => {
  for (const [status, code] of [[404, "dashboards.widget_not_found"], [404, "dashboards.filter_not_found"], [404, "datasets.not_found"], [403, "datasets.limited"]] as const) {
    const server = new Server(start());
    const client = new Client(server, "Ann");
    client.fate = [() => [status, code]];
    const heard: (string | undefined)[] = [];
    client.sync.act({ kind: "set_field" }, (refused) => heard.push(refused));
    client.set("/widgets/a/title", "Sales");
    await client.settle();
    assert.deepEqual(heard, ["No."], code);
    assert.equal(client.sync.state.name, "saved", code);
    assert.equal(get(server.doc, "/widgets/a/title"), "Sales", code);
    assert.equal(client.stored.length, 0, code);
  }
});

test("what ends it is no success of an act", async () => {
  for (const code of ["dashboards.not_found", "access.forbidden", ""]) {
    const client = new Client(new Server(start()), "Ann");
    client.fate = [() => [code === "access.forbidden" ? 403 : 404, code]];
    const heard: (string | undefined)[] = [];
    client.sync.act({ kind: "set_field" }, (refused) => heard.push(refused));
    await client.settle();
    client.sync.act({ kind: "set_field" }, (refused) => heard.push(refused));
    assert.equal(client.sync.state.name, "ended", code);
    assert.deepEqual(heard, ["No.", "No."], code);
  }
});

test("what the server refuses goes, the rest is kept", async () => {
  const server = new Server(start());
  const client = new Client(server, "Ann");
  client.sync.act({ kind: "nonsense" });
  client.set("/widgets/a/title", "Sales");
  await client.settle();
  assert.deepEqual(client.heard.refused, ["That is not possible here."]);
  assert.equal(get(server.doc, "/widgets/a/title"), "Sales");
});

test("who waits for an act is told what became of it, once", async () => {
  const server = new Server(start());
  const client = new Client(server, "Ann");
  const heard: (string | undefined)[] = [];
  const tell = (refused?: string): void => void heard.push(refused);
  client.sync.act({ kind: "nonsense" }, tell);
  await client.settle();
  assert.deepEqual(heard, ["That is not possible here."]);
  assert.deepEqual(client.heard.refused, []);
  // One that is kept until there is a connection again needs no waiting; what
  // the server says then is for everybody.
  client.online = false;
  client.sync.act({ kind: "nonsense" }, tell);
  await client.sync.idle();
  assert.deepEqual(heard, ["That is not possible here.", undefined]);
  client.online = true;
  client.sync.now();
  await client.settle();
  assert.equal(heard.length, 2);
  assert.deepEqual(client.heard.refused, ["That is not possible here."]);
});

test("changes of others come in below one's own", async () => {
  const server = new Server(start());
  const ann = new Client(server, "Ann");
  const ben = new Client(server, "Ben");
  ann.online = false;
  ann.set("/widgets/a/title", "Ann's");
  ben.set("/widgets/a/title", "Ben's");
  ben.set("/widgets/b/title", "Orders");
  await ben.settle();
  ann.online = true;
  ann.sync.now();
  await ann.settle();
  assert.equal(get(ann.sync.view, "/widgets/a/title"), "Ann's");
  assert.equal(get(ann.sync.view, "/widgets/b/title"), "Orders");
  assert.deepEqual(ann.heard.overwrote, [{ path: "/widgets/a/title", user: "Ben", value: "Ben's" }]);
  ben.sync.behind(server.rev);
  await ben.settle();
  assert.deepEqual(ben.sync.view, ann.sync.view);
});

test("a change of something that is gone is told, not lost silently", async () => {
  const server = new Server(start());
  const ann = new Client(server, "Ann");
  const ben = new Client(server, "Ben");
  ben.set("/widgets/a", undefined);
  await ben.settle();
  ann.set("/widgets/a/title", "Sales");
  await ann.settle();
  assert.equal(ann.heard.skipped.length, 1);
  assert.deepEqual(ann.sync.view, server.doc);
});

test("undo and redo", async () => {
  const server = new Server(start());
  const client = new Client(server, "Ann");
  client.set("/widgets/a/title", "Sales");
  // The pending change is sent first.
  assert.equal((await client.sync.undo()).done, true);
  assert.equal(get(client.sync.view, "/widgets/a/title"), "A");
  assert.equal(client.sync.history.canUndo, false);
  assert.equal((await client.sync.redo()).done, true);
  assert.equal(get(client.sync.view, "/widgets/a/title"), "Sales");
  // A lost answer undoes once.
  client.set("/widgets/a/title", "More sales");
  await client.settle();
  client.fate = [() => "lose answer"];
  await client.sync.undo();
  assert.equal(get(client.sync.view, "/widgets/a/title"), "Sales");
});

test("undo offline takes back what was not sent", async () => {
  const server = new Server(start());
  const client = new Client(server, "Ann");
  client.online = false;
  client.set("/widgets/a/title", "Sales");
  client.set("/widgets/b/title", "Orders");
  await client.sync.idle();
  assert.equal((await client.sync.undo()).done, true);
  assert.equal(get(client.sync.view, "/widgets/b/title"), "B");
  assert.equal((await client.sync.redo()).done, true);
  assert.equal(get(client.sync.view, "/widgets/b/title"), "Orders");
  await client.sync.undo();
  await client.sync.undo();
  assert.equal((await client.sync.undo()).done, false);
  client.online = true;
  client.sync.now();
  await client.settle();
  assert.equal(server.log.length, 0);
  assert.deepEqual(client.sync.view, start());
  assert.equal(client.sync.state.name, "saved");
});

test("an undo that would take back somebody else's change asks", async () => {
  const server = new Server(start());
  const ann = new Client(server, "Ann");
  const ben = new Client(server, "Ben");
  ann.set("/widgets/a/title", "Ann's");
  await ann.settle();
  ben.sync.behind(server.rev);
  await ben.settle();
  ben.set("/widgets/a/title", "Ben's");
  await ben.settle();
  const outcome = await ann.sync.undo();
  assert.equal(outcome.done, false);
  assert.equal("conflicts" in outcome && outcome.conflicts[0]?.user, "Ben");
  assert.equal(get(server.doc, "/widgets/a/title"), "Ben's");
  assert.equal((await ann.sync.undo("force")).done, true);
  assert.equal(get(server.doc, "/widgets/a/title"), "A");
});

test("what is left as it is, undo passes over", async () => {
  const server = new Server({ ...start(), name: "Board" });
  const ann = new Client(server, "Ann");
  const ben = new Client(server, "Ben");
  ann.set("/widgets/b/title", "Older");
  await ann.settle();
  ann.set("/widgets/a/title", "Ann's");
  await ann.settle();
  ben.sync.behind(server.rev);
  await ben.settle();
  ben.set("/widgets/a/title", "Ben's");
  await ben.settle();
  assert.equal("conflicts" in (await ann.sync.undo()), true);
  assert.equal((await ann.sync.undo("leave")).done, true);
  assert.equal(get(server.doc, "/widgets/a/title"), "Ben's");
  assert.equal(ann.sync.history.canRedo, true);
  assert.equal((await ann.sync.undo()).done, true);
  assert.notEqual(get(server.doc, "/widgets/b/title"), "Older");
});

/** A generator with a seed: a failure can be repeated. */
function random(seed: number): () => number {
  return () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
}

test("two clients in any interleaving end the same", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const next = random(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
    const server = new Server(start());
    const clients = [new Client(server, "Ann"), new Client(server, "Ben")];
    const fates = ["pass", "pass", "pass", "lose request", "lose answer", 503] as const;
    for (let step = 0; step < 40; step++) {
      const client = pick(clients);
      switch (Math.floor(next() * 11)) {
        case 0:
        case 1:
          client.set(`/widgets/${pick(["a", "b", "c"])}/title`, pick(["x", "y", "z"]));
          break;
        case 2:
          client.set(`/widgets/${pick(["a", "b", "c"])}/layout`, { x: Math.floor(next() * 9), y: 0, w: 3, h: 8 });
          break;
        case 3:
          client.set(`/widgets/${pick(["a", "b", "c"])}`, next() < 0.5 ? undefined : { type: "bar", title: "new" });
          break;
        case 4:
          client.sync.act({ kind: "add_widget", type: "bar" });
          break;
        case 5:
          client.sync.behind(server.rev);
          break;
        case 6:
          client.online = !client.online;
          if (client.online) client.sync.now();
          break;
        case 7:
          client.fate.push(() => pick(fates));
          break;
        case 8:
          void client.sync.undo(next() < 0.5 ? "force" : "ask");
          break;
        case 9:
          void client.sync.redo();
          break;
        case 10:
          await tick();
          if (next() < 0.2) client.load();
          break;
      }
      if (next() < 0.4) await tick();
    }
    for (const client of clients) {
      client.online = true;
      client.fate = [];
      client.sync.now();
      await client.settle();
    }
    for (const client of clients) {
      client.sync.behind(server.rev);
      await client.settle();
      assert.equal(client.sync.waiting, 0, `seed ${String(seed)}`);
      assert.deepEqual(client.sync.view, server.doc, `seed ${String(seed)}`);
    }
    assert.deepEqual(applyAll(start(), server.log), server.doc, `seed ${String(seed)}`);
  }
});
