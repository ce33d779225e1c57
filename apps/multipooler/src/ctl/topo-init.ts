import type { Cell } from "@multipooler/proto/clustermetadata";
import { ensureCell } from "@multipooler/topo";
import { jsonText } from "./output.ts";
import { withTopology } from "./topo-command.ts";
import type { TopoIo, TopoOptions } from "./topo-command.ts";
import { recordJson } from "./topo-record.ts";
import { cellSummary } from "./topo-summary.ts";

/**
 * `ctl topo init`: creates the record of the configured cell, or reports that it exists. Resolves with
 * the exit code, which is 1 if the existing record differs from the settings in root or servers.
 */
export function topoInit(options: TopoOptions, io: TopoIo): Promise<number> {
  const wanted = options.target.homeCell;
  const { name } = wanted;
  return withTopology({ ...options, creates: true }, io, async (session) => {
    const { topology, output, json, complain } = session;
    const { created } = await ensureCell(topology, wanted);
    const found = await topology.global.cells.get(name);
    if (!sameCell(found.record, wanted)) {
      complain(
        `cell ${name} exists and has ${cellSummary(found.record)}; the settings say ${cellSummary(wanted)} (see --topo-cell-root, --topo-global-server-addresses)`,
      );
      return 1;
    }
    const text = `cell ${name} ${created ? "created" : "exists"}: ${cellSummary(found.record)}`;
    const answer = { created, ...recordJson({ kind: "cell", ...found }) };
    await output.write(json ? jsonText(answer) : `${text}\n`);
    return 0;
  });
}

function sameCell(a: Cell, b: Cell): boolean {
  const servers = (cell: Cell): string => cell.serverAddresses.toSorted().join(",");
  return a.root === b.root && servers(a) === servers(b);
}
