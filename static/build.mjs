// Builds dist: style sheet, scripts, fonts, icons and map shapes under names
// with the hash of their content, a manifest, and a Brotli and a gzip copy of
// everything that is text. `node build.mjs --watch` builds anew on a change,
// without the copies.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, watch, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { compile } from "@tailwindcss/node";
import { Scanner } from "@tailwindcss/oxide";
import { build as bundle } from "esbuild";
import { transform } from "lightningcss";
import subset from "subset-font";

const root = path.dirname(fileURLToPath(import.meta.url));
const src = path.join(root, "src");
const dist = path.join(root, "dist");
const require = createRequire(import.meta.url);
const watching = process.argv.includes("--watch");

/** What a first visit to a page without a map may load, compressed, in bytes;
 * the page's own HTML comes on top. */
const firstVisitLimit = 270_000;

// esbuild's targets are those of lightningcss: browsers of the last two years.
const targets = { chrome: 120 << 16, firefox: 121 << 16, safari: (17 << 16) | (2 << 8) };

const files = new Map(); // name within dist -> Buffer
const entries = {}; // plain name -> {file, integrity}
const lazy = {}; // parts of charts that a page loads when one of its charts needs them
const chunks = {}; // their files -> what those import

function hash(content) {
  return createHash("sha256").update(content).digest("hex").slice(0, 10);
}

function add(file, content) {
  files.set(file, Buffer.from(content));
  return file;
}

function addHashed(name, content) {
  const { name: base, ext } = path.parse(name);
  entries[name] = { file: add(`${base}-${hash(content)}${ext}`, content) };
  return entries[name].file;
}

function read(name) {
  return readFileSync(path.join(src, name), "utf8");
}

/** The tokens as CSS: light by default, dark by choice or by the system. */
function tokenSheet() {
  const tokens = JSON.parse(read("tokens.json"));
  const block = (values) => Object.entries(values).map(([name, value]) => `${name}:${value};`).join("");
  const ramp = (values) => `--df-ramp:linear-gradient(90deg,${values["--seq"].split(" ").join(",")});`;
  const theme = (values) => block(values) + ramp(values);
  const font = Object.fromEntries(Object.entries(tokens.type).filter(([name]) => name.startsWith("--")));
  return [
    `:root{${block(tokens.shape)}${block(font)}}`,
    `:root,[data-theme=light]{color-scheme:light;${theme(tokens.light)}}`,
    // Paper is white, whatever the screen is.
    `@media screen{[data-theme=dark]{color-scheme:dark;${theme(tokens.dark)}}}`,
    `@media screen and (prefers-color-scheme:dark){[data-theme=auto]{color-scheme:dark;${theme(tokens.dark)}}}`,
    // The logo for dark surfaces follows the same two rules.
    `[data-theme=dark] .brand-logo .on-light{display:none}[data-theme=dark] .brand-logo .on-dark{display:block}`,
    `@media (prefers-color-scheme:dark){[data-theme=auto] .brand-logo .on-light{display:none}[data-theme=auto] .brand-logo .on-dark{display:block}}`,
  ].join("\n");
}

async function styles() {
  const base = path.join(src, "css");
  const compiler = await compile(read("css/app.css"), { base, onDependency() {} });
  const scanner = new Scanner({ sources: compiler.sources });
  const css = `${tokenSheet()}\n${compiler.build(scanner.scan())}`.replace('url("inter.woff2")', `url("./${entries["inter.woff2"].file}")`);
  const { code } = transform({ filename: "app.css", code: Buffer.from(css), minify: true, targets });
  addHashed("app.css", code);
  // Only the editor needs these. They join the layer that app.css has laid down.
  const editor = `@layer components {\n${read("css/grid.css")}\n${read("css/editor.css")}\n}`;
  addHashed("editor.css", transform({ filename: "editor.css", code: Buffer.from(editor), minify: true, targets }).code);
  const schedules = `@layer components {\n${read("css/schedules.css")}\n}`;
  addHashed("schedules.css", transform({ filename: "schedules.css", code: Buffer.from(schedules), minify: true, targets }).code);
  // Sign-in, home, datasets, a portal's pages, the form in which its brand is chosen, settings of sign-in,
  // alerts, dashboards in other sites' pages, settings of those, of mail.
  for (const name of ["auth.css", "home.css", "data.css", "portal.css", "brand.css", "sso.css", "alerts.css", "embed.css", "embedding.css", "mail.css", "audit.css"]) {
    const sheet = `@layer components {\n${read(`css/${name}`)}\n}`;
    addHashed(name, transform({ filename: name, code: Buffer.from(sheet), minify: true, targets }).code);
  }
  const faces = Object.entries(brandFonts).map(([name, family]) => `@font-face{font-family:"${family} Variable";font-style:normal;font-weight:400 700;font-display:swap;src:url("./${entries[`${name}.woff2`].file}") format("woff2");unicode-range:${latin}}`);
  addHashed("brand-fonts.css", transform({ filename: "brand-fonts.css", code: Buffer.from(faces.join("\n")), minify: true, targets }).code);
  const print = `${read("css/print-fonts.css")}\n@layer components {\n${read("css/print.css")}\n}`.replace(/url\("(inter-\d+\.woff2)"\)/g, (_, name) => `url("./${entries[name].file}")`);
  addHashed("print.css", transform({ filename: "print.css", code: Buffer.from(print), minify: true, targets }).code);
}

/** Fonts that a tenant's brand may choose, by the package's name; the brand's
 * own sheet names the files (domain/brand), and brand-fonts.css all of them. */
const brandFonts = { figtree: "Figtree", fraunces: "Fraunces", "public-sans": "Public Sans", "source-serif-4": "Source Serif 4" };

const { latin } = JSON.parse(readFileSync(require.resolve("@fontsource-variable/inter/unicode.json"), "utf8"));

/** The weights and features that the style sheets use: half of a file. */
async function variableFont(name) {
  const folder = `@fontsource-variable/${name}`;
  const whole = readFileSync(require.resolve(`${folder}/files/${name}-latin-wght-normal.woff2`));
  let characters = "";
  for (const range of latin.split(",")) {
    const [first, last = first] = range.trim().slice(2).split("-").map((hex) => parseInt(hex, 16));
    for (let each = first; each <= last; each++) characters += String.fromCodePoint(each);
  }
  addHashed(`${name}.woff2`, await subset(whole, characters, {
    targetFormat: "woff2",
    // Those that browsers turn on by themselves decide the shapes of Fraunces.
    keepFeatures: ["calt", "ccmp", "kern", "locl", "mark", "mkmk", "tnum", ...(name in brandFonts ? ["clig", "liga", "rclt", "rlig", "rvrn"] : [])],
    variationAxes: { wght: { min: 400, max: 700, default: 400 } },
  }));
}

async function fonts() {
  for (const name of ["inter", ...Object.keys(brandFonts)]) await variableFont(name);
  // A PDF can embed a font of one weight only; of others it draws outlines.
  for (const weight of [400, 500, 600]) addHashed(`inter-${weight}.woff2`, readFileSync(require.resolve(`@fontsource/inter/files/inter-latin-${weight}-normal.woff2`)));
}

/** The insides of the icons' svg elements, by name. */
function icons() {
  const names = readFileSync(path.join(root, "icons.txt"), "utf8").split("\n").map((line) => line.trim()).filter((line) => line && !line.startsWith("#"));
  const folder = path.join(path.dirname(require.resolve("lucide-static/package.json")), "icons");
  const shapes = {};
  for (const name of names) {
    const svg = readFileSync(path.join(folder, `${name}.svg`), "utf8");
    const inside = svg.replace(/<!--[\s\S]*?-->/g, "").match(/<svg[^>]*>([\s\S]*)<\/svg>/)[1];
    shapes[name] = inside.replace(/\s*\n\s*/g, "").replace(/ \/>/g, "/>");
  }
  add("icons.json", JSON.stringify(shapes));
}

/** Land, borders and the states of the USA, without names. The ids are those of
 * domain/charts/areas.tsv: a few countries without a number have their name. */
function shapes() {
  const slim = (file, keep) => {
    const topology = JSON.parse(readFileSync(require.resolve(file), "utf8"));
    const objects = {};
    for (const name of keep) {
      const geometries = topology.objects[name].geometries.map(({ type, arcs, id, properties }) => (name === "land" ? { type, arcs } : { type, arcs, id: id ?? properties?.name }));
      objects[name] = { type: "GeometryCollection", geometries };
    }
    return JSON.stringify({ type: "Topology", arcs: topology.arcs, transform: topology.transform, objects });
  };
  addHashed("world.json", slim("world-atlas/countries-50m.json", ["countries", "land"]));
  addHashed("states.json", slim("us-atlas/states-10m.json", ["states"]));
}

/** What ECharts always registers and no page uses: its Chinese texts, which a
 * browser in Chinese would get in the middle of English pages, and its dark theme. */
const unused = {
  name: "unused",
  setup(build) {
    build.onLoad({ filter: /echarts\/lib\/i18n\/langZH\.js$/ }, () => ({ contents: 'export { default } from "./langEN.js";', resolveDir: path.join(root, "node_modules/echarts/lib/i18n") }));
    build.onLoad({ filter: /echarts\/lib\/theme\/dark\.js$/ }, () => ({ contents: "export default {};" }));
  },
};

async function scripts() {
  // The build for browsers that are not of this year, as for our targets above.
  addHashed("pdf-worker.js", readFileSync(require.resolve("pdfjs-dist/legacy/build/pdf.worker.min.mjs")));
  addHashed("map-worker.js", readFileSync(require.resolve("maplibre-gl/dist/maplibre-gl-worker.mjs")));
  const sheet = transform({ filename: "map.css", code: readFileSync(require.resolve("maplibre-gl/dist/maplibre-gl.css")), minify: true, targets });
  addHashed("map.css", sheet.code);
  const assets = Object.fromEntries(["map.css", "map-worker.js", "world.json", "states.json"].map((name) => [name, `./${entries[name].file}`]));
  const result = await bundle({
    absWorkingDir: root,
    entryPoints: { app: "src/app.ts", brand: "src/brand.ts", charts: "src/charts.ts", embed: "src/embed.ts", editor: "src/editor/editor.ts", map: "src/map.ts", pages: "src/pages.ts", print: "src/print.ts", uploads: "src/uploads.ts" },
    bundle: true,
    splitting: true,
    format: "esm",
    target: ["chrome120", "firefox121", "safari17.2"],
    minify: true,
    legalComments: "none",
    entryNames: "[name]-[hash]",
    chunkNames: "part-[hash]",
    outdir: "dist",
    write: false,
    metafile: true,
    plugins: [unused],
    define: { "process.env.NODE_ENV": '"production"', __ASSETS__: JSON.stringify(assets), __PDF_WORKER__: JSON.stringify(`./${entries["pdf-worker.js"].file}`) },
    loader: { ".svg": "text" },
    logLevel: "warning",
  });
  for (const output of result.outputFiles) {
    const file = add(path.basename(output.path), output.contents);
    const { entryPoint, imports } = result.metafile.outputs[`dist/${file}`];
    const name = entryPoint && `${path.parse(entryPoint).name}.js`;
    if (entryPoint?.startsWith("src/parts/")) {
      lazy[`charts: ${path.parse(entryPoint).name}`] = file;
      chunks[file] = imports.filter(({ kind }) => kind === "import-statement").map((each) => path.basename(each.path));
    } else if (name) {
      entries[name] = {
        file,
        imports: imports.filter(({ kind }) => kind === "import-statement").map((each) => path.basename(each.path)),
      };
    }
  }
  await component();
  return result.metafile;
}

/** What other sites load is a plain script without imports, under an address of its own. */
async function component() {
  const result = await bundle({
    absWorkingDir: root,
    entryPoints: ["src/component.ts"],
    bundle: true,
    format: "iife",
    target: ["chrome120", "firefox121", "safari17.2"],
    minify: true,
    write: false,
    logLevel: "warning",
  });
  addHashed("component.js", result.outputFiles[0].contents);
}

/** The licences of what is in the bundles, as those ask for. */
function licences(metafile) {
  const packages = new Set(["@fontsource-variable/inter", ...Object.keys(brandFonts).map((name) => `@fontsource-variable/${name}`), "@fontsource/inter", "lucide-static", "daisyui", "tailwindcss", "world-atlas", "us-atlas"]);
  for (const input of Object.keys(metafile.inputs)) {
    const found = input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/);
    if (found) packages.add(found[1]);
  }
  const texts = [...packages].sort().map((name) => {
    const folder = path.join(root, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
    const text = file ? readFileSync(path.join(folder, file), "utf8").trim() : "";
    return `${name} ${version} (${license})\n\n${text}`;
  });
  add("licenses.txt", `${texts.join(`\n\n${"-".repeat(72)}\n\n`)}\n`);
}

const textual = /\.(js|css|svg|json|txt)$/;
const sizes = {};

function write() {
  mkdirSync(dist, { recursive: true });
  for (const name of readdirSync(dist)) {
    if (name !== ".placeholder") rmSync(path.join(dist, name), { recursive: true });
  }
  add("manifest.json", `${JSON.stringify({ entries }, null, 1)}\n`);
  for (const [name, content] of files) {
    writeFileSync(path.join(dist, name), content);
    sizes[name] = content.length;
    if (watching || !textual.test(name) || name === "manifest.json" || name === "icons.json") continue;
    const brotli = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length } });
    writeFileSync(path.join(dist, `${name}.br`), brotli);
    writeFileSync(path.join(dist, `${name}.gz`), gzipSync(content, { level: 9 }));
    sizes[name] = brotli.length;
  }
}

/** Prints what a visit loads and fails when it is more than the limit. */
function report() {
  const whole = (name, seen = new Set()) => {
    const file = entries[name]?.file ?? name;
    if (seen.has(file)) return 0;
    seen.add(file);
    const imports = Object.values(entries).find((entry) => entry.file === file)?.imports ?? chunks[file] ?? [];
    return sizes[file] + imports.reduce((sum, each) => sum + whole(each, seen), 0);
  };
  const seen = new Set();
  const first = ["app.css", "inter.woff2", "app.js", "charts.js"].map((name) => [name, whole(name, seen)]);
  const total = first.reduce((sum, [, size]) => sum + size, 0);
  const line = (name, size) => console.log(`${name.padEnd(28)} ${(size / 1000).toFixed(1).padStart(7)} kB`);
  console.log("First visit to a page of charts, compressed:");
  for (const [name, size] of first) line(`  ${name}`, size);
  line("  together", total);
  console.log("Loaded where they are needed:");
  for (const [name, file] of Object.entries(lazy)) {
    const already = new Set(seen);
    line(`  ${name}`, whole(file, already));
  }
  for (const name of ["map.js", "map-worker.js", "map.css", "world.json", "states.json", "editor.css", "editor.js", "print.css", "print.js", "auth.css", "home.css", "data.css", "schedules.css", "sso.css", "alerts.css", "mail.css", "audit.css", "pages.js", "pdf-worker.js", "uploads.js", "portal.css", "brand.css", "brand.js", "embed.css", "embed.js", "component.js", "embedding.css", ...Object.keys(brandFonts).map((name) => `${name}.woff2`)]) line(`  ${name}`, whole(name));
  if (!watching && total > firstVisitLimit) {
    throw new Error(`a first visit loads ${total} bytes, more than ${firstVisitLimit}`);
  }
}

async function build() {
  const start = performance.now();
  files.clear();
  for (const known of [entries, lazy, chunks]) {
    for (const name of Object.keys(known)) delete known[name];
  }
  await fonts();
  icons();
  shapes();
  addHashed("mark.svg", read("mark.svg"));
  await styles();
  licences(await scripts());
  write();
  report();
  console.log(`Built in ${((performance.now() - start) / 1000).toFixed(1)} s.`);
}

await build();
if (watching) {
  let timer;
  const again = () => {
    clearTimeout(timer);
    timer = setTimeout(() => build().catch((error) => console.error(error.message)), 120);
  };
  for (const folder of [src, path.join(root, "..", "views")]) {
    if (existsSync(folder)) watch(folder, { recursive: true }, (_, name) => name && !name.endsWith("_templ.go") && again());
  }
}
