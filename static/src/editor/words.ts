// The sentences of the editor, in the language of the page.

let known: Record<string, string> | undefined;

/** The text by its key, with the places in braces filled in. With n = 1 the
 * form KEY_one is taken where there is one. */
export function words(key: string, places: Record<string, string | number> = {}): string {
  known ??= JSON.parse(document.getElementById("editor-words")?.textContent || "{}") as Record<string, string>;
  const text = (places["n"] === 1 ? known[`${key}_one`] : undefined) ?? known[key] ?? "";
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in places ? String(places[name]) : whole));
}
