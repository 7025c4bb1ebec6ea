// Names under an axis of categories, where none may be left out.

/** How labels of an axis stand, in the words of ECharts. */
export interface Standing {
  interval: number | "auto";
  rotate: number;
  width?: number;
  lineHeight?: number;
  overflow: "none" | "break" | "truncate";
}

const gap = 6; // between names, in pixels
const line = 14;
const mostLines = 3; // at least as many as it takes
const steep = 40; // degrees
const upright = 90;
const tight = 11; // between upright names

/** Lets names stand side by side, on several lines, or turned, whichever the
 * width between two of them allows first. Turned names take up to half of the
 * height. */
export function standing(names: string[], between: number, height: number, measure: (text: string) => number): Standing {
  const widest = Math.max(...names.map(measure));
  if (widest <= between - gap) return { interval: 0, rotate: 0, overflow: "none" };
  const words = names.flatMap((name) => name.split(" "));
  const lines = Math.max(...names.map((name) => Math.ceil(measure(name) / (between - gap)) + 1));
  if (Math.max(...words.map(measure)) <= between - 2 * gap && lines <= mostLines && lines * line <= height / 3) {
    return { interval: 0, rotate: 0, width: between - gap, lineHeight: line, overflow: "break" };
  }
  const rotate = between < line ? upright : steep;
  const most = height / 2 / Math.sin((rotate * Math.PI) / 180);
  return { interval: between < tight ? "auto" : 0, rotate, ...(widest > most ? { width: most, overflow: "truncate" } : { overflow: "none" }) };
}

/** How wide names at the left of a chart may be, at most as they would like, of
 * the room that they share with what is drawn: they give way before it does. */
export function beside(widest: number, room: number): number {
  return Math.max(Math.min(widest, Math.floor((room * 2) / 3) - 8), 24);
}
