// What turning pages comes down to, apart from the page and the document.

/** The page after a step from one, within a document. */
export function turned(page: number, by: number, pages: number): number {
  return Math.min(Math.max(page + by, 1), Math.max(pages, 1));
}

/** A text with "{page}" and "{pages}" in it, of one page. */
export function pageText(text: string, page: number, pages: number): string {
  return text.replace(/\{pages?\}/g, (which) => String(which === "{page}" ? page : pages));
}

/** By how much a page is enlarged to be as wide as said, in CSS pixels, and
 * sharp on a screen with so many pixels for one; bounded, since a browser
 * draws no canvas of any size. */
export function sharpScale(pageWidth: number, pageHeight: number, width: number, ratio: number): number {
  const largest = 4096;
  const wanted = (width * Math.max(ratio, 1)) / pageWidth;
  return Math.min(wanted, largest / Math.max(pageWidth, pageHeight));
}
