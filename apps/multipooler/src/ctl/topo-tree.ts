import { printable, tableLines } from "@multipooler/text-table";
import type { Interruption } from "../interruption.ts";
import type { TopoIo } from "./topo-command.ts";
import { listTopology } from "./topo-listing.ts";
import type { TopoListing } from "./topo-listing.ts";
import { recordJson, recordName, TOPO_KINDS } from "./topo-record.ts";
import type { TopoRecord } from "./topo-record.ts";
import { recordSummary } from "./topo-summary.ts";
import { showTopology } from "./topo-view.ts";
import type { TopoViewOptions } from "./topo-view.ts";

/** `ctl topo tree`: prints the whole topology as a tree of its keys. Resolves with the exit code. */
export function topoTree(
  options: TopoViewOptions,
  io: TopoIo,
  interruption: Pick<Interruption, "signal">,
): Promise<number> {
  return showTopology(options, io, interruption, async ({ topology, target: { globalRoot } }) => {
    const listing = await listTopology(topology, TOPO_KINDS);
    const { errors } = listing;
    return { text: treeText(globalRoot, listing), json: treeJson(globalRoot, listing), errors };
  });
}

function treeJson(root: string, { cells, databases, shards }: TopoListing): object {
  return {
    root,
    databases: databases.map(recordJson),
    shards: shards.map(recordJson),
    cells: cells.map(({ cell, poolers }) => ({
      ...recordJson(cell),
      poolers: poolers.map(recordJson),
    })),
  };
}

/** Formats the tree: a root for the global topology and one for each cell. */
export function treeText(root: string, { cells, databases, shards }: TopoListing): string {
  const global = folder(root, [
    ["cells", cells.map(({ cell }) => cell)],
    ["databases", databases],
    ["shards", shards],
  ]);
  const others = cells.map(({ cell, poolers }) => folder(cell.record.root, [["poolers", poolers]]));
  return [global, ...others].join("");
}

function folder(
  root: string,
  groups: readonly (readonly [name: string, records: readonly TopoRecord[]])[],
): string {
  const lines = groups.flatMap(([name, records], index) => {
    const isLast = index === groups.length - 1;
    const leaves = tableLines(records.map((entry) => [recordName(entry), recordSummary(entry)]));
    const shown = leaves.length === 0 ? ["(none)"] : leaves;
    return [
      `${isLast ? "└─" : "├─"} ${name}`,
      ...shown.map((leaf, at) => {
        const branch = at === shown.length - 1 ? "└─" : "├─";
        return `${isLast ? "  " : "│ "} ${branch} ${leaf}`;
      }),
    ];
  });
  return `${[printable(root), ...lines].join("\n")}\n`;
}
