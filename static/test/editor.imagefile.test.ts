import assert from "node:assert/strict";
import { test } from "node:test";
import { budget, fitted, kindOf, moves, nameOf, urlLength } from "../src/editor/imagefile.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

test("a file is what its bytes say", () => {
  for (const [text, want] of [
    ["\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "png"], ["\xff\xd8\xff\xe0", "jpeg"], ["GIF89a", "gif"], ["RIFF\0\0\0\0WEBPVP8 ", "webp"], ["RIFF\0\0\0\0WAVE", undefined],
    ["<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"], ["\xef\xbb\xbf\n<?xml version='1.0'?>\n<!-- a > b -->\n<!DOCTYPE svg PUBLIC 'x' 'y'>\n<SVG>", "svg"],
    ["<!DOCTYPE svg [<!ENTITY a 'b'>]><svg>", "svg"], ["<html><svg>", undefined], ["<svgx>", undefined], ["", undefined], ["month,sales\n", undefined], ["\x89PNG", undefined], ["BM6", undefined],
  ] as const) assert.equal(kindOf(bytes(text)), want, text);
  // A text without an end is no reason to think for long.
  assert.equal(kindOf(bytes("<!--".repeat(100_000))), undefined);
  assert.equal(kindOf(bytes("<!-- -->".repeat(100_000))), undefined);
});

test("a GIF moves with two frames", () => {
  const head = "GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff";
  const control = "\x21\xf9\x04\0\0\0\0\0";
  const frame = `${control}\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0`;
  const loop = "\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0";
  const own = "\x2c\0\0\0\0\x01\0\x01\0\x80\0\0\0\xff\xff\xff\x02\x02\x44\x01\0";
  assert.equal(moves(bytes(`${head}${frame};`)), false);
  assert.equal(moves(bytes(`${head}${loop}${frame};`)), false);
  assert.equal(moves(bytes(`${head}${loop}${frame}${frame};`)), true);
  assert.equal(moves(bytes(`${head}${own}${frame};`)), true);
  // Cut off at any place.
  const whole = bytes(`${head}${loop}${frame}${frame};`);
  for (let n = 0; n < whole.length; n++) moves(whole.subarray(0, n));
});

test("a name is the file's without its ending", () => {
  for (const [file, want] of [["Team photo.png", "Team photo"], ["north_star__2026.final.JPEG", "north star 2026.final"], ["logo", "logo"], [".png", ""], ["", ""], ["v1. Draft", "v1. Draft"], [`${"x".repeat(300)}.png`, "x".repeat(120)]] as const) {
    assert.equal(nameOf(file), want, file);
  }
});

test("the largest that fits is taken", async () => {
  const tried: string[] = [];
  // As large as its pixels; PNG four times that.
  const encode = (width: number, height: number, { type, quality = 4 }: { type: string; quality?: number }): Promise<Blob> => {
    tried.push(`${String(width)}×${String(height)} ${type} ${String(quality)}`);
    return Promise.resolve(new Blob([new Uint8Array(Math.round(width * height * 0.3 * quality))], { type }));
  };
  const png = { type: "image/png" };
  const webp = { type: "image/webp", quality: 0.5 };
  const small = await fitted(100, 50, [png, webp], encode);
  assert.equal(small?.type, "image/png");
  assert.deepEqual(tried, ["100×50 image/png 4"]);
  tried.length = 0;
  const photo = await fitted(4000, 3000, [webp], encode);
  assert.deepEqual(tried, ["1600×1200 image/webp 0.5", "1280×960 image/webp 0.5", "1024×768 image/webp 0.5", "800×600 image/webp 0.5"]);
  assert.ok(photo && urlLength(photo) <= budget);
  tried.length = 0;
  assert.equal(await fitted(900, 1, [{ type: "image/avif" }], () => Promise.resolve(new Blob(["x"], { type: "image/png" }))), undefined);
  assert.equal(await fitted(900, 900, [png], () => Promise.resolve(new Blob([new Uint8Array(budget)], { type: "image/png" }))), undefined);
  assert.equal(await fitted(900, 900, [png], () => Promise.resolve(null)), undefined);
  // A line stays one.
  assert.ok(await fitted(16000, 3, [webp], encode));
  assert.match(tried[0] ?? "", /^1600×1 /);
});

test("the length of an address is known before it is made", () => {
  for (let n = 0; n < 7; n++) assert.equal(urlLength(new Blob(["x".repeat(n)], { type: "image/png" })), `data:image/png;base64,${Buffer.from("x".repeat(n)).toString("base64")}`.length);
});
