// What every page loads: htmx, the shell, and small elements. Charts, maps and
// uploads are loaded when the first of them appears.
import htmx from "htmx.org";
import "./elements/filter.ts";
import "./elements/daterange.ts";
import "./elements/live.ts";
import "./elements/menu.ts";
import "./elements/palette.ts";
import "./elements/reveal.ts";
import "./elements/theme.ts";
import "./requests.ts";
import "./drafts.ts";
import "./signout.ts";
import "./popover.ts";
import "./focus.ts";
import "./shortcuts.ts";

declare global {
  interface Window {
    htmx: typeof htmx;
  }
}

window.htmx = htmx;

/** Elements that are heavy, with the module that defines them. */
const lazy: Record<string, () => Promise<unknown>> = {
  "df-chart": () => import("./charts.ts"),
  "df-dashboard": () => import("./dashboard.ts"),
  "df-editor": () => import("./editor/editor.ts"),
  "df-map": () => import("./map.ts"),
  "df-colour": () => import("./brand.ts"),
  "df-copy": () => import("./elements/copy.ts"),
  "df-zone": () => import("./elements/zone.ts"),
  "df-review": () => import("./elements/review.ts"),
  "df-dropzone": () => import("./uploads.ts"),
};

function load(root: ParentNode): void {
  for (const [name, module] of Object.entries(lazy)) {
    if (root.querySelector(name)) {
      delete lazy[name];
      // A module that can't be loaded leaves its widgets without drawing; their
      // tables stay reachable. The browser reports the cause.
      module().catch((error: unknown) => console.error(error));
    }
  }
}

load(document);
// Where tabs don't fit, the current one is in view.
document.querySelector(".tabs-bar [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
document.addEventListener("htmx:after:swap", () => load(document));
// What was said of the last act is closed once it is read.
document.addEventListener("click", (event) => {
  const notice = event.target instanceof Element && event.target.closest("[data-close-notice]")?.closest(".notice");
  if (!notice) return;
  notice.remove();
  document.getElementById("main")?.focus({ preventScroll: true });
});
