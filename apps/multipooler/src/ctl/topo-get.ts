import { tableText } from "@multipooler/text-table";
import { ID_ComponentType, TopoErrorCode, isTopoError } from "@multipooler/topo";
import type { TopoStore } from "@multipooler/topo";
import { withTopology } from "./topo-command.ts";
import type { TopoIo, TopoOptions } from "./topo-command.ts";
import { parseRecordName } from "./topo-name.ts";
import type { RecordName } from "./topo-name.ts";
import { recordFields, recordJson, recordName } from "./topo-record.ts";
import type { TopoRecord } from "./topo-record.ts";

/** `ctl topo get`: prints one record, field by field. Resolves with the exit code. */
export async function topoGet(what: string, options: TopoOptions, io: TopoIo): Promise<number> {
  const name = parseRecordName(what);
  return withTopology(options, io, async ({ topology, output, json, complain }) => {
    const found = await find(topology, name);
    // A key can be well-formed and still have another root than the records.
    if (found === undefined || (name.key !== undefined && name.key !== found.key)) {
      complain(`${what}: there is no such record`);
      return 1;
    }
    await output.write(
      json ? `${JSON.stringify(recordJson(found), undefined, 2)}\n` : asText(found),
    );
    return 0;
  });
}

function asText(record: TopoRecord): string {
  return tableText([
    ["key", record.key],
    ["version", String(record.version)],
    ...recordFields(record),
  ]);
}

async function find(
  topology: TopoStore,
  { kind, name }: RecordName,
): Promise<TopoRecord | undefined> {
  const { cells, databases } = topology.global;
  switch (kind) {
    case "cell":
      return unlessAbsent(async () => ({ kind, ...(await cells.get(name)) }));
    case "database":
      return unlessAbsent(async () => ({ kind, ...(await databases.get(name)) }));
    case "pooler": {
      const [cell = "", short] = name.split("/");
      if (short !== undefined) {
        return findPooler(topology, cell, short);
      }
      return findPoolerById(topology, name);
    }
  }
}

/** A cell's name may contain dashes, so the cell of an id is found by comparing with all cells. */
async function findPoolerById(topology: TopoStore, id: string): Promise<TopoRecord | undefined> {
  const { records: cells } = await topology.global.cells.list();
  for (const cell of cells.map(recordName)) {
    const prefix = `multipooler-${cell}-`;
    if (!id.startsWith(prefix)) {
      continue;
    }
    const found = await findPooler(topology, cell, id.slice(prefix.length));
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

function findPooler(
  topology: TopoStore,
  cell: string,
  name: string,
): Promise<TopoRecord | undefined> {
  const id = { component: ID_ComponentType.MULTIPOOLER, cell, name };
  const { poolers } = topology.cell(cell);
  return unlessAbsent(async () => ({ kind: "pooler", ...(await poolers.get(id)) }));
}

async function unlessAbsent(read: () => Promise<TopoRecord>): Promise<TopoRecord | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isTopoError(error, TopoErrorCode.NoNode)) {
      return undefined;
    }
    throw error;
  }
}
