// Who else is here, and at which widget: told to the server on every change of
// the selection and every 10 s, heard from it as the event df:presence.
import type { Desk } from "./desk.ts";
import { words } from "./words.ts";

interface Person {
  tab: string;
  user: string;
  name: string;
  initials: string;
  colour: string;
  widget?: string;
  self?: boolean;
}

const beat = 10_000;
const colours = /^c[1-7]$/;

export class Presence {
  readonly #desk: Desk;
  #timer = 0;
  #people: Person[] = [];

  constructor(desk: Desk) {
    this.#desk = desk;
    const { signal } = desk;
    document.addEventListener("df:presence", (event) => {
      const list = (event as CustomEvent<Person[] | null>).detail;
      this.#people = Array.isArray(list) ? list.filter((each) => each.tab !== desk.tab) : [];
      this.show();
    }, { signal });
    document.addEventListener("visibilitychange", () => this.tell(), { signal });
    addEventListener("pagehide", () => this.#say({ tab: desk.tab, widget: "", left: true }), { signal });
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
    this.tell();
  }

  /** The name of somebody who is here. */
  nameOf(user: string): string | undefined {
    return this.#people.find((each) => each.user === user)?.name;
  }

  tell(): void {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    const { tab, selection } = this.#desk;
    this.#timer = setTimeout(() => this.tell(), beat);
    this.#say({ tab, widget: selection.first ?? "" });
  }

  #say(what: { tab: string; widget: string; left?: boolean }): void {
    // One that is lost is followed by the next.
    fetch(`${this.#desk.path}/presence`, { method: "POST", keepalive: true, headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify(what) }).catch(() => undefined);
  }

  show(): void {
    const { grid } = this.#desk;
    const faces = document.getElementById("presence");
    // One face a person, however many tabs.
    const people = new Map(this.#people.map((each) => [each.user, each]));
    faces?.replaceChildren(...[...people.values()].map((person) => {
      const face = document.createElement("span");
      face.className = "avatar avatar-sm";
      face.setAttribute("role", "img");
      face.dataset["colour"] = colourOf(person);
      face.textContent = person.initials;
      const title = person.widget ? words("working_on", { name: person.name, title: this.#desk.titleOf(person.widget) }) : words("editing", { name: person.name });
      face.title = title;
      face.setAttribute("aria-label", title);
      return face;
    }));
    for (const mark of grid.querySelectorAll(".grid-person")) mark.remove();
    const marked = new Set<string>();
    for (const person of this.#people) {
      const item = person.widget && !marked.has(person.widget) ? grid.item(person.widget) : null;
      if (!item || !person.widget) continue;
      marked.add(person.widget);
      const mark = document.createElement("span");
      mark.className = "grid-person";
      mark.dataset["colour"] = colourOf(person);
      mark.setAttribute("aria-hidden", "true");
      const name = document.createElement("b");
      name.textContent = person.name;
      mark.append(name);
      item.append(mark);
    }
  }
}

function colourOf(person: Person): string {
  return colours.test(person.colour) ? person.colour : "c4";
}
