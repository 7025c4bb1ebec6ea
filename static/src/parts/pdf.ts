// A PDF whose pages are drawn onto canvases, by PDF.js. It reads the document in
// a worker of ours. The documents are those of our own browser: fonts are within,
// and nothing in them needs WebAssembly, which the content policy forbids.
import { AnnotationMode, getDocument, GlobalWorkerOptions, type PDFDocumentProxy } from "pdfjs-dist/legacy/build/pdf.mjs";
import { sharpScale } from "../paging.ts";

export class Pdf {
  readonly #document: PDFDocumentProxy;

  constructor(document: PDFDocumentProxy) {
    this.#document = document;
  }

  get pages(): number {
    return this.#document.numPages;
  }

  /** Draws a page, counted from 1, for a place that is so wide in CSS pixels. */
  async draw(number: number, width: number): Promise<HTMLCanvasElement> {
    const page = await this.#document.getPage(number);
    const plain = page.getViewport({ scale: 1 });
    const viewport = page.getViewport({ scale: sharpScale(plain.width, plain.height, width, devicePixelRatio) });
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(viewport.width);
    canvas.height = Math.round(viewport.height);
    await page.render({ canvas, viewport, annotationMode: AnnotationMode.DISABLE }).promise;
    return canvas;
  }

  close(): void {
    void this.#document.loadingTask.destroy();
  }
}

export async function read(data: ArrayBuffer): Promise<Pdf> {
  GlobalWorkerOptions.workerSrc = new URL(__PDF_WORKER__, import.meta.url).href;
  return new Pdf(await getDocument({ data, useWasm: false, useWorkerFetch: false, useSystemFonts: false, verbosity: 0 }).promise);
}
