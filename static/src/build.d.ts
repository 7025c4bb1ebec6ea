declare module "*.svg" {
  const text: string;
  export default text;
}

/** Paths of built files beside the scripts, filled in by the build. */
declare const __ASSETS__: Record<"map.css" | "map-worker.js" | "world.json" | "states.json", string>;

/** Path of the worker that reads PDFs, beside the scripts. */
declare const __PDF_WORKER__: string;
