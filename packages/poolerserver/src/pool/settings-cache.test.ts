import fc from "fast-check";
import { expect, test } from "vitest";
import { NO_SETTINGS } from "./label-settings.ts";
import { SettingsCache } from "./settings-cache.ts";

const map = (entries: Readonly<Record<string, string>>): Map<string, string> =>
  new Map(Object.entries(entries));

/** The same for the same entries. */
function textOf(entries: Readonly<Record<string, string>>): string {
  const names = Object.keys(entries).toSorted();
  return JSON.stringify(names.map((name) => [name, entries[name]]));
}

test("equal settings are the same object, whatever their order and the case of their names", () => {
  const cache = new SettingsCache({ maxEntries: 10 });
  const first = cache.get(map({ Work_Mem: "1MB", role: "a" }));
  expect(cache.get(map({ Work_Mem: "1MB", role: "a" }))).toBe(first);
  expect(cache.get(map({ role: "a", Work_Mem: "1MB" }))).toBe(first);
  expect(cache.get(map({ WORK_MEM: "1MB", role: "a" }))).toBe(first);
  expect(first.values).toEqual(map({ role: "a", work_mem: "1MB" }));
  expect(cache.get(new Map())).toBe(NO_SETTINGS);
});

test("of two spellings of a name the one that sorts last counts", () => {
  const cache = new SettingsCache({ maxEntries: 10 });
  expect(cache.get(map({ a: "1", A: "2" })).values).toEqual(map({ a: "1" }));
});

test("values that look like other settings are not taken for them", () => {
  const cache = new SettingsCache({ maxEntries: 10 });
  expect(cache.get(map({ a: "1;b=2" }))).not.toBe(cache.get(map({ a: "1", b: "2" })));
  const settings = fc.dictionary(
    fc.constantFrom("a", "b", "1"),
    fc.string({ unit: "grapheme-ascii", maxLength: 4 }),
  );
  fc.assert(
    fc.property(settings, settings, (one, other) => {
      const isSame = cache.get(map(one)) === cache.get(map(other));
      expect(isSame).toBe(textOf(one) === textOf(other));
    }),
  );
});

test("the oldest that nobody asked for is forgotten", () => {
  const cache = new SettingsCache({ maxEntries: 3 });
  const [a, b] = ["1", "2", "3"].map((value) => cache.get(map({ a: value })));
  expect(cache.get(map({ a: "1" }))).toBe(a);
  cache.get(map({ a: "4" }));
  expect(cache.get(map({ a: "1" }))).toBe(a);
  expect(cache.get(map({ a: "2" }))).not.toBe(b);
});

test("large settings are not remembered", () => {
  const cache = new SettingsCache({ maxEntries: 3 });
  const large = map({ a: "x".repeat(10_000) });
  expect(cache.get(large)).not.toBe(cache.get(large));
});
