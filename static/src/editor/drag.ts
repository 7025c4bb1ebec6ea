// Drag and drop by the browser's own means: a type of widget or a field from
// the palette onto the canvas, a field onto a widget or onto a well of the
// inspector, chips from well to well.
import type { Desk } from "./desk.ts";
import { firstSize } from "./layout.ts";
import { widgetOf } from "./selection.ts";

const typeMime = "application/x-dataflow-type";
const fieldMime = "application/x-dataflow-field";
const chipMime = "application/x-dataflow-chip";

interface Field {
  field: string;
  dataset?: string;
}

/** A field that lies in a well of the selected widget, or in a hierarchy. */
interface Chip {
  widget: string;
  hierarchy?: string;
  well: string;
  index: number;
  /** The name of the field there: acts carry what they expect at a place. */
  expect: string;
}

/** What is under way in this tab: while dragging, a page may not read the data. */
let carried: { type: string } | { field: Field } | { chip: Chip } | null = null;

export function dragAndDrop(desk: Desk, canvas: HTMLElement): void {
  const { root, grid, selection, signal } = desk;

  const over = (mark: Element | null): void => {
    for (const each of root.querySelectorAll("[data-over]")) if (each !== mark) each.removeAttribute("data-over");
    mark?.setAttribute("data-over", "");
  };
  const end = (): void => {
    carried = null;
    grid.placeholder(null);
    over(null);
    delete root.dataset["dragging"];
  };

  root.addEventListener("dragstart", (event) => {
    const source = event.target instanceof Element ? event.target : null;
    const data = event.dataTransfer;
    if (!source || !data) return;
    const type = source.closest<HTMLElement>("[data-palette-type]")?.dataset["paletteType"];
    const field = source.closest<HTMLElement>("[data-field]");
    const chip = source.closest<HTMLElement>("[data-chip]");
    if (type) {
      carried = { type };
      data.setData(typeMime, type);
    } else if (chip) {
      const { well = "", hierarchy } = chip.closest<HTMLElement>("[data-well], [data-hierarchy]")?.dataset ?? {};
      carried = { chip: { widget: desk.selection.first ?? "", ...(hierarchy === undefined ? {} : { hierarchy }), well, index: Number(chip.dataset["chip"]), expect: chip.dataset["name"] ?? "" } };
      data.setData(chipMime, JSON.stringify(carried.chip));
    } else if (field) {
      const { dataset } = field.dataset;
      carried = { field: { field: field.dataset["field"] ?? "", ...(dataset ? { dataset } : {}) } };
      data.setData(fieldMime, JSON.stringify(carried.field));
    } else {
      return;
    }
    data.effectAllowed = chip ? "move" : "copy";
    root.dataset["dragging"] = "type" in carried ? "type" : "field";
  }, { signal });
  root.addEventListener("dragend", end, { signal });

  const size = (): { w: number; h: number } => (carried && "type" in carried ? firstSize(carried.type) : { w: 4, h: 8 });
  /** The widget that a field would be dropped on, if there is one. */
  const target = (event: DragEvent): string | undefined => (carried && "type" in carried ? undefined : widgetOf(event.target));

  canvas.addEventListener("dragover", (event) => {
    if (!carried || "chip" in carried || (event.target as Element).closest(".canvas-bar")) return;
    const id = target(event);
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
    over(id ? grid.item(id) : null);
    const { w, h } = size();
    grid.placeholder(id ? null : grid.cellAt(event.clientX, event.clientY, w, h));
  }, { signal });
  canvas.addEventListener("dragleave", (event) => {
    if (event.relatedTarget instanceof Node && canvas.contains(event.relatedTarget)) return;
    grid.placeholder(null);
    over(null);
  }, { signal });
  canvas.addEventListener("drop", (event) => {
    if (!carried || "chip" in carried) return;
    event.preventDefault();
    const id = target(event);
    const { w, h } = size();
    const cell = grid.cellAt(event.clientX, event.clientY, w, h);
    // Other devices have no places of their own for what is new.
    const at = desk.device === "desktop" ? { at: { x: cell.x, y: cell.y } } : {};
    // Keys are for what was dropped: not for the palette any more, and not for
    // what was selected before.
    selection.set(id ? [id] : []);
    grid.focus({ preventScroll: true });
    if ("type" in carried) desk.act({ kind: "add_widget", type: carried.type, ...at });
    else if (id) desk.act({ kind: "drop_field", widget: id, well: "", ...carried.field });
    else desk.act({ kind: "add_field", ...carried.field, ...at });
    end();
  }, { signal });

  /** Before which chip of a well the pointer is. */
  const indexIn = (well: HTMLElement, y: number): number => {
    const chips = [...well.querySelectorAll<HTMLElement>("[data-chip]")];
    const after = chips.findIndex((chip) => {
      const box = chip.getBoundingClientRect();
      return y < box.top + box.height / 2;
    });
    return after < 0 ? chips.length : after;
  };
  /** The well that can take what is carried: chips of a hierarchy stay within it. */
  const takes = (target: EventTarget | null): HTMLElement | null => {
    const well = target instanceof Element ? target.closest<HTMLElement>("[data-well], [data-hierarchy]") : null;
    if (!carried || "type" in carried || !well || canvas.contains(well)) return null;
    return "field" in carried || carried.chip.hierarchy === well.dataset["hierarchy"] ? well : null;
  };
  root.addEventListener("dragover", (event) => {
    const well = takes(event.target);
    if (!carried || !well) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = "chip" in carried ? "move" : "copy";
    over(well);
  }, { signal });
  root.addEventListener("dragleave", (event) => {
    const well = event.target instanceof Element ? event.target.closest("[data-well], [data-hierarchy]") : null;
    if (well && !(event.relatedTarget instanceof Node && well.contains(event.relatedTarget))) well.removeAttribute("data-over");
  }, { signal });
  root.addEventListener("drop", (event) => {
    const well = takes(event.target);
    const widget = desk.selection.first;
    const hierarchy = well?.dataset["hierarchy"];
    if (!carried || "type" in carried || !well || (!widget && hierarchy === undefined)) return;
    event.preventDefault();
    const name = well.dataset["well"] ?? "";
    const index = indexIn(well, event.clientY);
    if (hierarchy !== undefined) {
      if ("field" in carried) desk.act({ kind: "add_level", id: hierarchy, index, field: carried.field.field });
      else desk.act({ kind: "move_level", id: hierarchy, index: carried.chip.index, expect: carried.chip.expect, to: index > carried.chip.index ? index - 1 : index });
    } else if (!widget) return;
    else if ("field" in carried) desk.act({ kind: "drop_field", widget, well: name, index, field: carried.field.field });
    else if (carried.chip.well === name) desk.act({ kind: "move_field", widget, well: name, index: carried.chip.index, expect: carried.chip.expect, to: index > carried.chip.index ? index - 1 : index });
    else desk.act({ kind: "drop_field", widget, well: name, index, from: { well: carried.chip.well, index: carried.chip.index, expect: carried.chip.expect } });
    end();
  }, { signal });
  signal.addEventListener("abort", end);
}
