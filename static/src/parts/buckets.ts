// Buckets of time as charts have them: named by their first moment, which is
// wall-clock time written as UTC.

/** The last day of the bucket that begins at a moment. */
export function bucketEnd(at: number, grain: string): number {
  const date = new Date(at);
  const [y, m, d] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  switch (grain) {
    case "year":
      return Date.UTC(y + 1, m, d - 1);
    case "quarter":
      return Date.UTC(y, m + 3, d - 1);
    case "month":
      return Date.UTC(y, m + 1, d - 1);
    case "week":
      return Date.UTC(y, m, d + 6);
  }
  return Date.UTC(y, m, d);
}

export function dayText(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** A bucket as marks name it: a day or, where it is shorter, a moment. */
export function momentText(at: number, grain: string): string {
  const short = grain === "hour" || grain === "quarter_hour" || grain === "minute";
  return new Date(at).toISOString().slice(0, short ? 19 : 10);
}

/** The value of a rising list that is nearest to a place. */
export function nearest(values: number[], place: number): number {
  let best = values[0] as number;
  for (const value of values) if (Math.abs(value - place) < Math.abs(best - place)) best = value;
  return best;
}
