// A picture file as a data: URL that a dashboard can keep: drawn anew in the
// browser, as small as it takes. What is drawn anew says nothing of where and
// when a photo was taken either.

export type Kind = "png" | "jpeg" | "webp" | "gif" | "svg";

/** How long a data: URL may become, in bytes. */
export const budget = 150_000;
/** How large a file may be that is read at all. */
export const largest = 30_000_000;
/** The longest side in pixels, and what is tried where that is too much. */
const sides = [1600, 1280, 1024, 800, 640, 480, 320] as const;
/** An SVG has no pixels of its own. */
const drawn = 1280;

export interface Picture {
  url: string;
  /** A picture that moved, of which the first frame is left. */
  stopped: boolean;
}

/** What the bytes of a file are, whatever it is called. */
export function kindOf(bytes: Uint8Array): Kind | undefined {
  const at = (start: number, text: string): boolean => [...text].every((c, i) => bytes[start + i] === c.charCodeAt(0));
  if (at(0, "\x89PNG\r\n\x1a\n")) return "png";
  if (at(0, "\xff\xd8\xff")) return "jpeg";
  if (at(0, "GIF87a") || at(0, "GIF89a")) return "gif";
  if (at(0, "RIFF") && at(8, "WEBP")) return "webp";
  // What may stand before the element, each part taken once: no going back.
  let text = new TextDecoder().decode(bytes.subarray(0, 4096)).trimStart();
  for (const part of [/^<\?xml[^>]*>\s*/, /^<!--[^]*?-->\s*/, /^<!DOCTYPE[^>[]*(?:\[[^\]]*\]\s*)?>\s*/i, /^<!--[^]*?-->\s*/]) {
    for (let found = part.exec(text); found; found = part.exec(text)) text = text.slice(found[0].length);
  }
  return /^<svg[\s>]/i.test(text) ? "svg" : undefined;
}

/** Tells whether a GIF has more than one frame. */
export function moves(gif: Uint8Array): boolean {
  const table = (flags: number): number => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  const blocks = (from: number): number => {
    let at = from;
    for (let n = gif[at]; n !== undefined && n > 0; n = gif[at]) at += n + 1;
    return at + 1;
  };
  let frames = 0;
  for (let at = 13 + table(gif[10] ?? 0); at < gif.length; ) {
    if (gif[at] === 0x21) at = blocks(at + 2);
    else if (gif[at] === 0x2c) {
      frames++;
      at = blocks(at + 11 + table(gif[at + 9] ?? 0));
    } else break;
  }
  return frames > 1;
}

/** The name of a file without its ending, as words. */
export function nameOf(file: string): string {
  return file.replace(/\.[^.\s]{1,5}$/, "").replace(/[_\s]+/g, " ").trim().slice(0, 120);
}

/** The length of the data: URL of a blob. */
export function urlLength(blob: { size: number; type: string }): number {
  return `data:${blob.type};base64,`.length + 4 * Math.ceil(blob.size / 3);
}

export interface Way {
  type: string;
  quality?: number;
}

/** The first of the ways and sizes, from large to small, that fits. */
export async function fitted(width: number, height: number, ways: readonly Way[], encode: (width: number, height: number, way: Way) => Promise<Blob | null>): Promise<Blob | undefined> {
  const longest = Math.max(width, height);
  for (const [i, side] of sides.entries()) {
    if (i > 0 && side >= longest) continue;
    const scale = Math.min(1, side / longest);
    for (const way of ways) {
      const blob = await encode(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)), way);
      // A browser that can't write a type writes PNG.
      if (blob?.type === way.type && urlLength(blob) <= budget) return blob;
    }
  }
  return undefined;
}

/** Reads a file. "none": it is no picture; "large": of too many bytes; "unfit":
 * it can't be made small enough. */
export async function readPicture(file: Blob): Promise<Picture | "none" | "large" | "unfit"> {
  if (file.size > largest) return "large";
  const bytes = new Uint8Array(await file.arrayBuffer());
  const kind = kindOf(bytes);
  if (kind === undefined) return "none";
  const typed = new Blob([bytes], { type: kind === "svg" ? "image/svg+xml" : `image/${kind}` });
  const source = await (kind === "svg" ? readSVG(typed) : createImageBitmap(typed)).catch(() => undefined);
  if (!source || source.width === 0 || source.height === 0) return "none";
  try {
    const moving = kind === "gif" && moves(bytes);
    if (moving && urlLength(typed) <= budget) return { url: await asURL(typed), stopped: false };
    const scale = kind === "svg" ? drawn / Math.max(source.width, source.height) : 1;
    const canvas = document.createElement("canvas");
    const paint = (width: number, height: number): CanvasRenderingContext2D | null => {
      if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
        const context = canvas.getContext("2d");
        if (!context) return null;
        context.imageSmoothingQuality = "high";
        context.drawImage(source, 0, 0, width, height);
      }
      return canvas.getContext("2d");
    };
    const small = kind === "jpeg" ? null : paint(Math.min(source.width, 64), Math.min(source.height, 64));
    const blob = await fitted(source.width * scale, source.height * scale, waysFor(kind === "jpeg" || kind === "webp", small !== null && seeThrough(small)), (width, height, { type, quality }) =>
      new Promise((done) => {
        if (paint(width, height)) canvas.toBlob(done, type, quality);
        else done(null);
      }),
    );
    return blob ? { url: await asURL(blob), stopped: moving } : "unfit";
  } catch (error) {
    // An SVG may hold what a canvas does not give away.
    if (error instanceof DOMException) return "none";
    throw error;
  } finally {
    if (source instanceof ImageBitmap) source.close();
  }
}

/** Drawings stay exact where they can; photos need not. */
function waysFor(photo: boolean, transparent: boolean): Way[] {
  const type = canWrite("image/webp") ? "image/webp" : "image/jpeg";
  const exact = { type: "image/png" };
  if (transparent && type === "image/jpeg") return [exact];
  const lossy = [0.85, 0.7, 0.5].map((quality) => ({ type, quality }));
  return photo ? lossy : [exact, ...lossy];
}

function canWrite(type: string): boolean {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  return canvas.toDataURL(type).startsWith(`data:${type}`);
}

function seeThrough(context: CanvasRenderingContext2D): boolean {
  const { width, height } = context.canvas;
  const { data } = context.getImageData(0, 0, width, height);
  for (let i = 3; i < data.length; i += 4) if ((data[i] as number) < 250) return true;
  return false;
}

/** As an image, an SVG runs no scripts and loads nothing. */
async function readSVG(file: Blob): Promise<HTMLImageElement> {
  const url = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    return image;
  } finally {
    URL.revokeObjectURL(url);
  }
}

function asURL(blob: Blob): Promise<string> {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => done(reader.result as string));
    reader.addEventListener("error", () => failed(reader.error ?? new Error("unreadable")));
    reader.readAsDataURL(blob);
  });
}
