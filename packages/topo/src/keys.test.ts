import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compareKeys, componentId, joinKey, keySegment } from "./keys.ts";

test.for([
  [["/multigres/global", "cells", "zone1", "Cell"], "/multigres/global/cells/zone1/Cell"],
  [["/multigres/global/", "cells"], "/multigres/global/cells"],
  [["multigres//global", "/cells/"], "multigres/global/cells"],
  [["", "cells"], "cells"],
  [["/", "cells"], "/cells"],
  [["/"], "/"],
  [["///"], "/"],
] as const)("%j is joined to %s", ([parts, key]) => {
  expect(joinKey(...parts)).toBe(key);
});

test("a joined key has no double slash and no slash at its end, and keeps the one at its start", () => {
  const part = fc.string({ unit: fc.constantFrom("a", "/", "é") });
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const key = joinKey(...parts);
      expect(key).not.toContain("//");
      expect(key.length > 1 && key.endsWith("/")).toBe(false);
      const first = parts.find((each) => each !== "");
      expect(key.startsWith("/")).toBe(first?.startsWith("/") === true);
    }),
  );
});

test("a component is named by its kind, its cell and its name", () => {
  const id = { component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name: "abcd1234" };
  expect(componentId(id)).toBe("multipooler-zone1-abcd1234");
  expect(componentId({ ...id, component: ID_ComponentType.MULTIORCH })).toBe(
    "multiorch-zone1-abcd1234",
  );
  expect(() => componentId({ ...id, name: "a/b" })).toThrow("not a name for a component");
  expect(() => componentId({ ...id, cell: "" })).toThrow("not a name for a cell");
});

test("a segment is refused exactly where it would be another key's path", () => {
  expect(keySegment("database", "données 1")).toBe("données 1");
  for (const name of ["", ".", "..", "a/b", "/", "a\n", "\u0000"]) {
    expect(() => keySegment("database", name)).toThrow("not a name for a database");
  }
});

test("keys are compared by their bytes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (a, b) => {
      const points = (text: string): number[] => [...text].map((each) => each.codePointAt(0) ?? 0);
      const [left, right] = [points(a), points(b)];
      const at = left.findIndex((point, index) => point !== right[index]);
      const wanted = at === -1 ? left.length - right.length : (left[at] ?? 0) - (right[at] ?? -1);
      expect(Math.sign(compareKeys(a, b))).toBe(Math.sign(wanted));
    }),
  );
});
