import { expect, test } from "vitest";
import { TextCache } from "./text-cache.ts";

const ONE = { what: "is known" };

function remembered(cache: TextCache<object>, texts: readonly string[]): string[] {
  return texts.filter((text) => cache.get(text) !== undefined);
}

test("holds no more texts than it may", () => {
  const cache = new TextCache<object>({ maxEntries: 10, maxBytes: 10_000, maxTextBytes: 100 });
  const texts = Array.from({ length: 1000 }, (_, n) => `text ${String(n)}`);
  for (const text of texts) {
    cache.set(text, ONE);
  }
  const kept = remembered(cache, texts);
  expect(kept.length).toBeLessThanOrEqual(10);
  expect(kept.at(-1)).toBe("text 999");
});

test("holds no more bytes than it may", () => {
  const cache = new TextCache<object>({ maxEntries: 1000, maxBytes: 1000, maxTextBytes: 100 });
  const texts = Array.from({ length: 100 }, (_, n) => String(n).padStart(100, "x"));
  for (const text of texts) {
    cache.set(text, ONE);
  }
  const kept = remembered(cache, texts);
  expect(kept.length).toBeGreaterThan(0);
  expect(kept.join("").length).toBeLessThanOrEqual(1000);
});

test("does not remember a text that is too long", () => {
  const cache = new TextCache<object>({ maxEntries: 10, maxBytes: 1000, maxTextBytes: 5 });
  cache.set("123456", ONE);
  cache.set("12345", ONE);
  expect(remembered(cache, ["123456", "12345"])).toEqual(["12345"]);
});

test("keeps what is asked for", () => {
  const cache = new TextCache<object>({ maxEntries: 10, maxBytes: 10_000, maxTextBytes: 100 });
  cache.set("often", ONE);
  for (let n = 0; n < 100; n += 1) {
    cache.set(`once ${String(n)}`, ONE);
    expect(cache.get("often")).toBe(ONE);
  }
});

test("forgets everything when told", () => {
  const cache = new TextCache<object>({ maxEntries: 10, maxBytes: 10_000, maxTextBytes: 100 });
  const texts = Array.from({ length: 8 }, (_, n) => String(n));
  for (const text of texts) {
    cache.set(text, ONE);
  }
  cache.clear();
  expect(remembered(cache, texts)).toEqual([]);
});
