// Numbers and dates as platform/locale writes them on the server: same rules,
// same data (the page carries the locale as JSON), same cases in the tests.

/** How one group of people writes numbers and dates; platform/locale.Locale. */
export interface Locale {
  name: string;
  decimal: string;
  group: string;
  groupMin: number;
  percentGap: string;
  currencyAfter: boolean;
  compact: string[];
  months: string[];
  weekdays: string[];
  order: "dmy" | "mdy" | "ymd";
  dayMark: string;
  week: string;
  quarter: string;
}

/** What a number means and how exactly to write it; platform/locale.Format. */
export interface NumberFormat {
  fmt?: string; // number, currency, percent, pp, duration, bytes
  symbol?: string;
  unit?: string;
  decimals?: number;
  scale?: number;
  compact?: boolean;
  integer?: boolean;
}

/** Where a number stands decides how long it may be. */
export type Place = "kpi" | "full" | "axis" | "cell";

const minus = "\u2212";
const nbsp = "\u00a0";
export const missing = "—";
const infinity = "∞";
const compactFrom = 100_000;

export const english: Locale = {
  name: "en-GB",
  decimal: ".",
  group: ",",
  groupMin: 4,
  percentGap: "",
  currencyAfter: false,
  compact: ["k", "M", "B", "T"],
  months: ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
  weekdays: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
  order: "dmy",
  dayMark: "",
  week: "W",
  quarter: "Q",
};

export function number(l: Locale, v: number, f: NumberFormat, place: Place): string {
  switch (place) {
    case "kpi":
      return kpi(l, v, f);
    case "axis":
      return axis(l, v, f);
    case "cell":
      return cell(l, v, f);
    case "full":
      return full(l, v, f);
  }
}

export function kpi(l: Locale, v: number, f: NumberFormat): string {
  if (f.fmt === "duration" || f.fmt === "bytes") return full(l, v, f);
  if (f.fmt === "percent" || f.fmt === "pp") {
    return write(l, v, { ...f, decimals: f.decimals ?? percentDecimals(v * 100) });
  }
  const abs = Math.abs(v);
  if (abs >= compactFrom || (abs < compactFrom && Math.round(abs) >= compactFrom)) {
    const [scale, mantissa] = scaleOf(abs);
    return write(l, v, { ...f, scale, decimals: headlineDecimals(mantissa) });
  }
  const plain = { ...f, scale: 0 };
  if (f.decimals !== undefined) return write(l, v, plain);
  let decimals: number;
  if (f.integer || (v === Math.trunc(v) && f.fmt !== "currency")) decimals = 0;
  else if (f.fmt === "currency") decimals = abs < 99.995 && v !== 0 ? 2 : 0;
  else decimals = headlineDecimals(abs);
  return write(l, v, { ...plain, decimals });
}

function headlineDecimals(abs: number): number {
  if (abs === 0) return 0;
  if (abs < 0.01) return 4;
  if (abs < 0.1) return 3;
  if (abs < 99.995) return 2;
  if (abs < 999.95) return 1;
  return 0;
}

function percentDecimals(percent: number): number {
  const abs = Math.abs(percent);
  if (abs === 0 || abs >= 999.95) return 0;
  return abs < 0.1 ? 2 : 1;
}

function scaleOf(abs: number): [number, number] {
  let scale = 0;
  while (scale < 4 && abs >= 999.95) {
    abs /= 1000;
    scale++;
  }
  return [scale, abs];
}

export function full(l: Locale, v: number, f: NumberFormat): string {
  if (f.fmt === "duration") return seconds(l, v);
  if (f.fmt === "bytes") return size(l, v);
  const plain = { ...f, scale: 0 };
  if (f.decimals !== undefined) return write(l, v, plain);
  if (f.fmt === "percent" || f.fmt === "pp") {
    return write(l, v, { ...plain, decimals: v * 100 === Math.trunc(v * 100) ? 0 : 2 });
  }
  if (f.integer || v === Math.trunc(v)) return write(l, v, { ...plain, decimals: 0 });
  if (f.fmt === "currency") return write(l, v, { ...plain, decimals: 2 });
  return trimmed(l, v, plain, fullDecimals(v));
}

function fullDecimals(v: number): number {
  const abs = Math.abs(v);
  if (abs === 0) return 0;
  return Math.max(2, Math.min(12, 5 - Math.floor(Math.log10(abs))));
}

export function cell(l: Locale, v: number, f: NumberFormat): string {
  if (f.fmt === "duration" || f.fmt === "bytes" || f.decimals === undefined) return full(l, v, f);
  return write(l, v, f);
}

export function axis(l: Locale, v: number, f: NumberFormat): string {
  if (f.fmt === "duration" || f.fmt === "bytes") return full(l, v, f);
  if (f.fmt === "percent" || f.fmt === "pp") return trimmed(l, v, f, 4);
  const abs = Math.abs(v);
  return trimmed(l, v, { ...f, scale: abs >= 1000 ? scaleOf(abs)[0] : 0 }, 6);
}

function write(l: Locale, v: number, f: NumberFormat): string {
  if (Number.isNaN(v)) return missing;
  if (!Number.isFinite(v)) return sign(v) + infinity;
  const shown = f.fmt === "percent" || f.fmt === "pp" ? v * 100 : v;
  const decimals = Math.min(Math.max(f.decimals ?? 0, 0), 12);
  const abs = Math.abs(shown) / 10 ** (3 * (f.scale ?? 0));
  return dress(l, shown, fixed(roundHalfAway(abs, decimals), decimals), f);
}

function trimmed(l: Locale, v: number, f: NumberFormat, decimals: number): string {
  if (!Number.isFinite(v)) return write(l, v, f);
  const shown = f.fmt === "percent" || f.fmt === "pp" ? v * 100 : v;
  const abs = Math.abs(shown) / 10 ** (3 * (f.scale ?? 0));
  let digits = fixed(roundHalfAway(abs, decimals), decimals);
  if (digits.includes(".")) digits = digits.replace(/\.?0+$/, "");
  return dress(l, shown, digits, f);
}

/** Rounds the shortest decimal form of v, as a person would on paper. */
function roundHalfAway(v: number, decimals: number): number {
  const [whole = "0", fraction = ""] = plainText(v).split(".");
  if (fraction.length <= decimals) return v;
  const kept = Number(`${whole}.${fraction.slice(0, decimals)}0`);
  return fraction.charAt(decimals) < "5" ? kept : kept + 10 ** -decimals;
}

/** The shortest decimal form without an exponent. */
function plainText(v: number): string {
  const text = String(v);
  const [mantissa = "", exponent] = text.split("e");
  if (exponent === undefined) return text;
  const [whole = "", fraction = ""] = mantissa.split(".");
  const shift = Number(exponent);
  if (shift < 0) return `0.${"0".repeat(-shift - 1)}${whole}${fraction}`;
  return whole + fraction.padEnd(shift, "0");
}

function fixed(v: number, decimals: number): string {
  if (v < 1e21) return v.toFixed(decimals);
  return decimals > 0 ? `${BigInt(v)}.${"0".repeat(decimals)}` : String(BigInt(v));
}

function dress(l: Locale, v: number, digits: string, f: NumberFormat): string {
  const [whole = "0", fraction = ""] = digits.split(".");
  let text = grouped(l, whole);
  if (fraction !== "") text += l.decimal + fraction;
  const scale = f.scale ?? 0;
  if (scale > 0) text += l.compact[scale - 1] ?? "";
  switch (f.fmt) {
    case "currency": {
      const symbol = f.symbol ?? "";
      text = l.currencyAfter ? `${text}${nbsp}${symbol}` : symbol + (/[A-Za-z]$/.test(symbol) ? nbsp : "") + text;
      break;
    }
    case "percent":
      text += `${l.percentGap}%`;
      break;
    case "pp":
      text += `${nbsp}pp`;
      break;
    default:
      if (f.unit) text += nbsp + f.unit;
  }
  return /[1-9]/.test(digits) ? sign(v) + text : text;
}

function grouped(l: Locale, digits: string): string {
  if (digits.length < l.groupMin || digits.length <= 3 || l.group === "") return digits;
  return digits.replace(/\B(?=(\d{3})+$)/g, l.group);
}

function sign(v: number): string {
  return v < 0 ? minus : "";
}

export function seconds(l: Locale, v: number): string {
  if (Number.isNaN(v)) return missing;
  if (!Number.isFinite(v)) return sign(v) + infinity;
  const text = span(l, Math.abs(v));
  return v === 0 ? text : sign(v) + text;
}

function span(l: Locale, s: number): string {
  if (s === 0) return `0${nbsp}s`;
  if (s < 0.0009995) return trimmed(l, s * 1e6, { unit: "µs" }, 0);
  if (s < 0.009995) return trimmed(l, s * 1e3, { unit: "ms" }, 1);
  if (s < 0.9995) return trimmed(l, s * 1e3, { unit: "ms" }, 0);
  if (s < 9.95) return trimmed(l, s, { unit: "s" }, 1);
  if (s < 59.5) return trimmed(l, s, { unit: "s" }, 0);
  if (s < 3599.5) return pair(l, Math.round(s), 60, "min", "s");
  if (s < 86_370) return pair(l, Math.round(s / 60), 60, "h", "min");
  return pair(l, Math.round(s / 3600), 24, "d", "h");
}

function pair(l: Locale, n: number, perLarge: number, large: string, small: string): string {
  const rest = n % perLarge;
  const text = grouped(l, fixed(Math.trunc(n / perLarge), 0)) + nbsp + large;
  return rest === 0 ? text : `${text}${nbsp}${rest}${nbsp}${small}`;
}

const sizes = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

export function size(l: Locale, bytes: number): string {
  if (Number.isNaN(bytes)) return missing;
  if (!Number.isFinite(bytes)) return sign(bytes) + infinity;
  let value = Math.abs(bytes);
  let unit = 0;
  while (unit < sizes.length - 1 && value >= 999.5) {
    value /= 1000;
    unit++;
  }
  const text = trimmed(l, value, { unit: sizes[unit] ?? "" }, unit > 0 && value < 99.95 ? 1 : 0);
  return value === 0 ? text : sign(bytes) + text;
}

/** Names a bucket of time by its start. The moment is given as milliseconds
 * on the wall clock of the query's zone, written as if in UTC. */
export function bucket(l: Locale, ms: number, grain: string, withYear: boolean): string {
  const t = new Date(ms);
  const month = l.months[t.getUTCMonth()] ?? "";
  const year = String(t.getUTCFullYear()).replace("-", minus);
  switch (grain) {
    case "year":
      return year;
    case "quarter":
      return `${l.quarter}${Math.floor(t.getUTCMonth() / 3) + 1} ${year}`;
    case "month":
      return `${month} ${year}`;
    case "week": {
      const [isoYear, week] = isoWeek(t);
      return l.week + week + (withYear ? ` ${isoYear}` : "");
    }
    case "hour":
    case "minute":
      return withYear ? `${dayMonth(l, t, "")}, ${clock(t)}` : clock(t);
    case "second":
      return `${clock(t)}:${two(t.getUTCSeconds())}`;
    default:
      return dayMonth(l, t, withYear ? year : "");
  }
}

function dayMonth(l: Locale, t: Date, year: string): string {
  const d = t.getUTCDate() + l.dayMark;
  const m = l.months[t.getUTCMonth()] ?? "";
  if (l.order === "mdy") return year ? `${m} ${d}, ${year}` : `${m} ${d}`;
  if (l.order === "ymd" && year) return `${year} ${m} ${d}`;
  return year ? `${d} ${m} ${year}` : `${d} ${m}`;
}

function two(n: number): string {
  return String(n).padStart(2, "0");
}

function clock(t: Date): string {
  return `${two(t.getUTCHours())}:${two(t.getUTCMinutes())}`;
}

function isoWeek(t: Date): [number, number] {
  const day = (t.getUTCDay() + 6) % 7;
  const thursday = new Date(Date.UTC(t.getUTCFullYear(), t.getUTCMonth(), t.getUTCDate() - day + 3));
  const year = thursday.getUTCFullYear();
  const first = Date.UTC(year, 0, 1);
  return [year, Math.floor((thursday.getTime() - first) / 604_800_000) + 1];
}
