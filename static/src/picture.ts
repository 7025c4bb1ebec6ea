// A tile as one SVG that stands by itself: its drawings, and around them the texts
// and legend of the page, each where it lies there. What is sent on must be read
// without the page.
const namespace = "http://www.w3.org/2000/svg";

export function pictureOf(selector: string): string {
  const tile = document.querySelector(selector);
  if (tile === null) throw new Error(`nothing to take at ${selector}`);
  return new XMLSerializer()
    .serializeToString(tile instanceof SVGElement ? tile : compose(tile))
    .replaceAll("Inter Paper", "Inter");
}

function compose(tile: Element): SVGSVGElement {
  const box = tile.getBoundingClientRect();
  const style = getComputedStyle(tile);
  const svg = make("svg", { xmlns: namespace, width: box.width, height: box.height, viewBox: `0 0 ${box.width} ${box.height}`, "font-family": style.fontFamily }) as SVGSVGElement;
  const title = make("title", {});
  title.textContent = tile.getAttribute("aria-label");
  svg.append(title, make("rect", { width: box.width, height: box.height, fill: seen(style.backgroundColor) ? style.backgroundColor : "white" }));
  const walk = (element: Element): void => {
    if (!element.checkVisibility() || element.matches(".sr-only, noscript, script, template")) return;
    if (element instanceof SVGSVGElement) {
      drawing(element, svg, box);
      return;
    }
    if (element !== tile) face(element, svg, box);
    for (const child of element.childNodes) {
      if (child instanceof Element) walk(child);
      else if (child instanceof Text) text(child, svg, box);
    }
  };
  walk(tile);
  return svg;
}

/** A drawing as it is, with what its style sheets say written down. Icons that
 * point into a file of their own can't come along. */
function drawing(source: SVGSVGElement, into: SVGElement, from: DOMRect): void {
  if (source.querySelector("use") !== null) return;
  const place = source.getBoundingClientRect();
  const copy = source.cloneNode(true) as SVGSVGElement;
  const originals = [source, ...source.querySelectorAll<SVGElement>("*")];
  [copy, ...copy.querySelectorAll<SVGElement>("*")].forEach((each, i) => {
    const original = originals[i] as SVGElement;
    if (!original.hasAttribute("class") && !original.hasAttribute("style")) return;
    const style = getComputedStyle(original);
    for (const name of ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "fill-opacity"]) each.setAttribute(name, style.getPropertyValue(name));
    each.removeAttribute("class");
    each.removeAttribute("style");
    if (original instanceof SVGTextContentElement) {
      for (const name of ["font-size", "font-weight", "font-family"]) each.setAttribute(name, style.getPropertyValue(name));
    }
  });
  set(copy, { x: place.left - from.left, y: place.top - from.top, width: place.width, height: place.height, overflow: "visible" });
  into.append(copy);
}

/** Marks of a legend, bars in cells, lines between rows. */
function face(element: Element, into: SVGElement, from: DOMRect): void {
  const style = getComputedStyle(element);
  const place = element.getBoundingClientRect();
  const at = { x: place.left - from.left, y: place.top - from.top };
  if (place.width === 0) return;
  const round = Math.min(Number.parseFloat(style.borderTopLeftRadius) || 0, place.height / 2);
  const stops = style.backgroundImage.startsWith("linear-gradient") ? (style.backgroundImage.match(/(?:rgb|oklab|oklch|color)a?\([^()]*\)/g) ?? []) : [];
  if (stops.length > 1 && place.height > 0) {
    const id = `ramp-${into.childElementCount}`;
    const ramp = make("linearGradient", { id });
    stops.forEach((colour, i) => ramp.append(make("stop", { offset: i / (stops.length - 1), "stop-color": colour })));
    into.append(ramp, make("rect", { ...at, width: place.width, height: place.height, rx: round, fill: `url(#${id})` }));
  } else if (seen(style.backgroundColor) && place.height > 0) {
    into.append(make("rect", { ...at, width: place.width, height: place.height, rx: round, fill: style.backgroundColor, opacity: style.opacity }));
  }
  const width = Number.parseFloat(style.borderTopWidth);
  if (width === 0 || style.borderTopStyle === "none" || !seen(style.borderTopColor)) return;
  if (Number.parseFloat(style.borderLeftWidth) > 0) {
    const inner = { x: at.x + width / 2, y: at.y + width / 2, width: place.width - width, height: place.height - width };
    into.append(make("rect", { ...inner, rx: round, fill: "none", stroke: style.borderTopColor, "stroke-width": width }));
  } else {
    const y = at.y + width / 2;
    const dash = style.borderTopStyle === "solid" ? {} : { "stroke-dasharray": `${width} ${width * 1.5}` };
    into.append(make("line", { x1: at.x, y1: y, x2: at.x + place.width, y2: y, stroke: style.borderTopColor, "stroke-width": width, ...dash }));
  }
}

/** The lines of a text, as they are broken on the page. */
function text(node: Text, into: SVGElement, from: DOMRect): void {
  const parent = node.parentElement;
  const whole = node.data;
  if (parent === null || whole.trim() === "") return;
  const style = getComputedStyle(parent);
  const range = document.createRange();
  const lines: { box: DOMRect; text: string }[] = [];
  for (let i = 0; i < whole.length; i++) {
    range.setStart(node, i);
    range.setEnd(node, i + 1);
    const [place] = range.getClientRects();
    if (place === undefined) continue;
    const last = lines.at(-1);
    if (last !== undefined && Math.abs(last.box.top - place.top) < 2) last.text += whole[i];
    else lines.push({ box: place, text: whole[i] as string });
  }
  const size = Number.parseFloat(style.fontSize);
  for (const line of lines) {
    if (line.text.trim() === "") continue;
    const element = make("text", {
      x: line.box.left - from.left,
      y: line.box.top - from.top + line.box.height / 2 + size * 0.35, // middle of capitals
      "font-size": style.fontSize,
      "font-weight": style.fontWeight,
      fill: style.color,
      "xml:space": "preserve",
    });
    element.textContent = line.text;
    into.append(element);
  }
}

function seen(colour: string): boolean {
  return colour !== "transparent" && !/[,/] ?0\)$/.test(colour);
}

function make(name: string, attributes: Record<string, string | number>): SVGElement {
  const element = document.createElementNS(namespace, name);
  set(element, attributes);
  return element;
}

function set(element: Element, attributes: Record<string, string | number>): void {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(typeof value === "number" ? Math.round(value * 100) / 100 : value));
}
