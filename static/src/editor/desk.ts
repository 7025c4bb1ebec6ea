// What the parts of the editor share: the document on its way to the server,
// the canvas, what is selected. <df-editor> is the one who has it.
import type { JsonObject, Json, Operation } from "./document.ts";
import type { Grid } from "./grid.ts";
import type { Device, Layouts } from "./layout.ts";
import type { Selection } from "./selection.ts";
import type { Act, Sync } from "./sync.ts";

export interface Desk {
  readonly root: HTMLElement;
  /** "/dashboards/ID" */
  readonly path: string;
  readonly user: string;
  readonly tab: string;
  readonly sync: Sync;
  readonly grid: Grid;
  readonly selection: Selection;
  readonly device: Device;
  readonly signal: AbortSignal;
  /** The document as it is shown. */
  readonly doc: JsonObject;
  layouts(): Layouts;
  titleOf(id: string): string;
  edit(operations: readonly (Operation | null)[]): void;
  /** Puts a value below a widget: "/title". undefined removes. */
  set(widget: string, path: string, value: Json | undefined): void;
  /** outcome: as of Sync. */
  act(act: Act, outcome?: (refused?: string) => void): void;
  /** Moves widgets of the shown device to new places, as one change. held: those
   * that are meant; the others give way. seen: as of a Change. */
  place(layouts: Layouts, held?: readonly string[], seen?: number): void;
  removeWidgets(ids: readonly string[]): void;
  /** Says what was removed, with a button that brings it back. */
  undoable(text: string): void;
  undo(): void;
  redo(): void;
  nameVersion(): void;
}

