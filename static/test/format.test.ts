// The same cases as platform/locale's: browser and server write alike.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { bucket, type Locale, number, type NumberFormat, type Place, seconds, size } from "../src/format.ts";

declare const __ROOT__: string;

interface Cases {
  numbers: { place: Place; locale?: string; value: number; format?: NumberFormat; want: string }[];
  buckets: { locale?: string; at: string; grain: string; year?: boolean; want: string }[];
  seconds: { locale?: string; value: number; want: string }[];
  sizes: { locale?: string; value: number; want: string }[];
}

const read = (name: string): unknown => JSON.parse(readFileSync(`${__ROOT__}/platform/locale/testdata/${name}`, "utf8"));
const cases = read("cases.json") as Cases;
const locales = new Map((read("locales.json") as Locale[]).map((locale) => [locale.name, locale]));

function find(name = "en-GB"): Locale {
  const found = locales.get(name);
  assert.ok(found, `no locale ${name}`);
  return found;
}

test("numbers", () => {
  assert.ok(cases.numbers.length > 40);
  for (const each of cases.numbers) {
    assert.equal(number(find(each.locale), each.value, each.format ?? {}, each.place), each.want, JSON.stringify(each));
  }
});

test("buckets", () => {
  for (const each of cases.buckets) {
    assert.equal(bucket(find(each.locale), Date.parse(each.at), each.grain, each.year ?? false), each.want, JSON.stringify(each));
  }
});

test("durations", () => {
  for (const each of cases.seconds) assert.equal(seconds(find(each.locale), each.value), each.want, JSON.stringify(each));
});

test("sizes", () => {
  for (const each of cases.sizes) assert.equal(size(find(each.locale), each.value), each.want, JSON.stringify(each));
});
