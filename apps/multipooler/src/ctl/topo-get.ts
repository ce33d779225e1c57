import { tableText } from "@multipooler/text-table";
import { jsonText } from "./output.ts";
import { withTopology } from "./topo-command.ts";
import type { TopoIo, TopoOptions } from "./topo-command.ts";
import { findRecord } from "./topo-lookup.ts";
import { parseRecordName } from "./topo-name.ts";
import { recordFields, recordJson } from "./topo-record.ts";
import type { TopoRecord } from "./topo-record.ts";

/** `ctl topo get`: prints one record, field by field. Resolves with the exit code. */
export async function topoGet(what: string, options: TopoOptions, io: TopoIo): Promise<number> {
  const name = parseRecordName(what);
  return withTopology(options, io, async ({ topology, output, json, complain }) => {
    const found = await findRecord(topology, name);
    if (found === undefined) {
      complain(`${what}: there is no such record`);
      return 1;
    }
    await output.write(json ? jsonText(recordJson(found)) : asText(found));
    return 0;
  });
}

function asText(record: TopoRecord): string {
  return tableText([
    ["key", record.key],
    ["version", String(record.version)],
    ...aliveField(record),
    ...recordFields(record),
  ]);
}

function aliveField(record: TopoRecord): readonly [string, string][] {
  return record.kind === "pooler" && record.isAlive !== undefined
    ? [["alive", String(record.isAlive)]]
    : [];
}
