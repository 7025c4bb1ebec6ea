import { seconds, size } from "./format.ts";
import { locale } from "./page.ts";

/** A number of bytes in words: 41.8 MB. */
export function fileSize(bytes: number): string {
  return size(locale(), bytes);
}

/** A number of seconds in words, without fractions: 12 s. */
export function duration(s: number): string {
  return seconds(locale(), Math.max(1, Math.round(s)));
}
