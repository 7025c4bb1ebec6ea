// Values in links and marks: domain/charts.EscapeValue and its inverse.

const escapes: Record<string, string> = { "~~": "~", "~c": ",", "~s": "*" };

/** A value as a word of a link; null is no value. */
export function escapeValue(value: string | null): string {
  if (value === null) return "~0";
  return value.replace(/[~,*]/g, (found) => (found === "~" ? "~~" : found === "," ? "~c" : "~s"));
}

export function unescapeValue(word: string): string | null {
  return word === "~0" ? null : word.replace(/~[~cs]/g, (found) => escapes[found] ?? found);
}

/** Values as a filter of a link has them: one empty text alone is ",". */
export function filterWord(values: readonly (string | null)[]): string {
  const words = values.map(escapeValue);
  return words.length === 1 && words[0] === "" ? "," : words.join(",");
}

export function filterValues(text: string): (string | null)[] {
  if (text === "") return [];
  return text === "," ? [""] : text.split(",").map(unescapeValue);
}

/** The filters of a link by name. */
export function filtersOf(query: URLSearchParams): Record<string, (string | null)[]> {
  const filters: Record<string, (string | null)[]> = {};
  for (const [name, text] of query) if (name.startsWith("f.")) filters[name.slice(2)] = filterValues(text);
  return filters;
}
