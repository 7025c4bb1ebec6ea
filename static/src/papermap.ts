// <df-map> on paper: the map of map.ts as a Picture. It says df:drawn (bubbling)
// once it stands, or df:failed.
import { loadShapes, type MapData } from "./mapdata.ts";
import { partsOf, Picture } from "./mappicture.ts";

/** Land and borders, worked out before there is a map. */
export const ready = loadShapes().then((shapes) => {
  for (const shape of [shapes.land, shapes.coast, shapes.borders, shapes.states]) partsOf(shape);
});
ready.catch(() => undefined); // the maps say so

class PaperMap extends HTMLElement {
  connectedCallback(): void {
    if (this.getAttribute("role") !== "img") this.setAttribute("role", "img");
    this.#draw().catch((error: unknown) => {
      console.warn(error);
      const note = document.createElement("p");
      note.className = "map-note";
      note.textContent = this.getAttribute("text-failed");
      this.append(note);
      this.dispatchEvent(new Event("df:failed", { bubbles: true }));
    });
  }

  async #draw(): Promise<void> {
    const data = JSON.parse(this.querySelector(":scope > script[type='application/json']")?.textContent ?? "") as MapData;
    const shapes = await loadShapes();
    const picture = new Picture(this, data, shapes);
    this.prepend(picture.svg);
    picture.draw(Number(this.getAttribute("labels") ?? 0));
    this.dispatchEvent(new Event("df:drawn", { bubbles: true }));
  }
}

customElements.define("df-map", PaperMap);
