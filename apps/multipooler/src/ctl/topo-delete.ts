import { printable } from "@multipooler/text-table";
import type { TopoStore } from "@multipooler/topo";
import { ConfigError } from "../settings/config.ts";
import { writeSteps } from "./explanation.ts";
import { jsonText } from "./output.ts";
import { withTopology } from "./topo-command.ts";
import type { TopoIo, TopoOptions } from "./topo-command.ts";
import { findOwner, findRecord, shardOf } from "./topo-lookup.ts";
import { parseRecordName } from "./topo-name.ts";
import { recordName } from "./topo-record.ts";
import type { PoolerEntry, TopoRecord } from "./topo-record.ts";

export interface DeleteOptions extends TopoOptions {
  /** Why a record is deleted that is in use; `undefined` to be refused then. */
  readonly force: string | undefined;
  /** Whether only the steps are wanted. */
  readonly explain: boolean;
}

/**
 * `ctl topo delete`: deletes one record, in the version that it was found in. Resolves with the exit
 * code: 1 for a record that is not there, or is in use and is not to be forced.
 *
 * @throws ConfigError for a name that is none, and a force without a reason.
 */
export async function topoDelete(
  what: string,
  { force, explain, ...options }: DeleteOptions,
  io: TopoIo,
): Promise<number> {
  const name = parseRecordName(what);
  if (force?.trim() === "") {
    throw new ConfigError(["--force: say why, e.g. --force 'its machine is lost'"]);
  }
  return withTopology(options, io, async ({ topology, output, json, complain }) => {
    const found = await findRecord(topology, name);
    if (found === undefined) {
      complain(`${what}: there is no such record`);
      return 1;
    }
    const use = await useOf(topology, found);
    if (use !== undefined && force === undefined) {
      complain(`${what}: ${use}, or give --force with the reason`);
      return 1;
    }
    if (explain) {
      const explanation = `delete ${found.key} in the version that it has now`;
      await writeSteps(output, { json }, [{ name: "delete record", explanation, needed: true }]);
      return 0;
    }
    await remove(topology, found);
    const { kind, key } = found;
    const forced = use === undefined ? undefined : force;
    const text = `deleted ${kind} ${recordName(found)}${forced === undefined ? "" : ` by force: ${forced}`}`;
    const deleted = { deleted: true, kind, key, forced };
    await output.write(json ? jsonText(deleted, { indent: 0 }) : `${printable(text)}\n`);
    return 0;
  });
}

/** Who needs the record, and what to do about it; `undefined` where nobody does. */
async function useOf(topology: TopoStore, found: TopoRecord): Promise<string | undefined> {
  switch (found.kind) {
    case "pooler":
      return await useOfPooler(topology, found);
    case "shard": {
      const { primary } = found.record;
      const owner = primary && (await findOwner(topology, primary.pooler));
      return owner && primary
        ? `its primary ${primary.pooler.cell}/${primary.pooler.name} at ${owner.address} runs: stop it first`
        : undefined;
    }
    case "cell": {
      const { records } = await topology.cell(found.record.name).poolers.list();
      return records.length === 0
        ? undefined
        : `it has ${records.length} pooler(s), as ${records.slice(0, 3).map(recordName).join(", ")}: delete them first`;
    }
    case "database":
      return undefined;
  }
}

async function useOfPooler(
  topology: TopoStore,
  { record: { id } }: PoolerEntry,
): Promise<string | undefined> {
  const owner = id && (await findOwner(topology, id));
  return (
    owner &&
    `the pooler at ${owner.address} has run since ${owner.since.toISOString()}: stop it first`
  );
}

async function remove(topology: TopoStore, found: TopoRecord): Promise<void> {
  const { version } = found;
  const { cells, databases, primaries } = topology.global;
  switch (found.kind) {
    case "cell":
      await cells.delete(recordName(found), { version });
      break;
    case "database":
      await databases.delete(recordName(found), { version });
      break;
    case "shard":
      await primaries.delete(shardOf(found.key.split("/").at(-2) ?? ""), { version });
      break;
    case "pooler":
      if (found.record.id !== undefined) {
        await topology.cell(found.record.id.cell).poolers.delete(found.record.id, { version });
      }
      break;
  }
}
