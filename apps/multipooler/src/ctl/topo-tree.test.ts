import { Cell, Multipooler } from "@multipooler/proto/clustermetadata";
import { expect, test } from "vitest";
import type { TopoListing } from "./topo-listing.ts";
import { treeText } from "./topo-tree.ts";

function cell(name: string, poolers: readonly string[]): TopoListing["cells"][number] {
  const key = (pooler: string): string => `/t/${name}/poolers/multipooler-${name}-${pooler}/Pooler`;
  return {
    cell: {
      kind: "cell",
      key: `/t/global/cells/${name}/Cell`,
      version: 1n,
      record: Cell.fromPartial({ name, root: `/t/${name}` }),
    },
    poolers: poolers.map((pooler) => ({
      kind: "pooler",
      key: key(pooler),
      version: 2n,
      record: Multipooler.fromPartial({ hostname: "h", portMap: { grpc: 1 } }),
    })),
  };
}

test("an empty topology has its folders", () => {
  expect(treeText("/t/global", { cells: [], databases: [], shards: [], errors: [] })).toBe(
    [
      "/t/global",
      "├─ cells",
      "│  └─ (none)",
      "├─ databases",
      "│  └─ (none)",
      "└─ shards",
      "   └─ (none)",
      "",
    ].join("\n"),
  );
});

test("each cell has a tree of its own, its records aligned", () => {
  const cells = [cell("east", ["a", "long"]), cell("w", [])];
  expect(treeText("/t/global", { cells, databases: [], shards: [], errors: [] })).toBe(
    [
      "/t/global",
      "├─ cells",
      "│  ├─ east  root /t/east, on the global servers",
      "│  └─ w     root /t/w, on the global servers",
      "├─ databases",
      "│  └─ (none)",
      "└─ shards",
      "   └─ (none)",
      "/t/east",
      "└─ poolers",
      "   ├─ multipooler-east-a     UNKNOWN, SERVING, UNKNOWN, at h:1, for ?/?/?",
      "   └─ multipooler-east-long  UNKNOWN, SERVING, UNKNOWN, at h:1, for ?/?/?",
      "/t/w",
      "└─ poolers",
      "   └─ (none)",
      "",
    ].join("\n"),
  );
});
