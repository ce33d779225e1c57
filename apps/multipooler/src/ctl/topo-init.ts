import { existsSync } from "node:fs";
import type { Cell } from "@multipooler/proto/clustermetadata";
import { ensureCell, unlessAbsent } from "@multipooler/topo";
import { writeSteps } from "./explanation.ts";
import type { Step } from "./explanation.ts";
import { Output, jsonText } from "./output.ts";
import { withTopology } from "./topo-command.ts";
import type { TopoIo, TopoOptions } from "./topo-command.ts";
import { recordJson } from "./topo-record.ts";
import { cellSummary } from "./topo-summary.ts";

/**
 * `ctl topo init`: creates the record of the configured cell, or reports that it exists. Resolves with
 * the exit code, which is 1 if the existing record differs from the settings in root or servers.
 */
export function topoInit(
  { explain, ...options }: TopoOptions & { readonly explain: boolean },
  io: TopoIo,
): Promise<number> {
  const wanted = options.target.homeCell;
  const { name } = wanted;
  if (explain) {
    return explainInit(options, io);
  }
  return withTopology({ ...options, creates: true }, io, async (session) => {
    const { topology, output, json } = session;
    const { created } = await ensureCell(topology, wanted);
    const found = await topology.global.cells.get(name);
    if (!isSame(found.record, wanted, session)) {
      return 1;
    }
    const text = `cell ${name} ${created ? "created" : "exists"}: ${cellSummary(found.record)}`;
    const answer = { created, ...recordJson({ kind: "cell", ...found }) };
    await output.write(json ? jsonText(answer) : `${text}\n`);
    return 0;
  });
}

function explainInit(options: TopoOptions, io: TopoIo): Promise<number> {
  const { json, target } = options;
  const { server, homeCell: wanted } = target;
  const explanation = `create the record of cell ${wanted.name}: ${cellSummary(wanted)}`;
  const step = (needed: boolean): Step => ({ name: "create cell", explanation, needed });
  // To open it would make the file.
  if (server.type === "sqlite" && !existsSync(server.file)) {
    const file = { name: "create topology", explanation: `create ${server.file}`, needed: true };
    return explained(new Output(io.stdout), { json }, [file, step(true)]);
  }
  return withTopology(options, io, async (session) => {
    const { cells } = session.topology.global;
    const found = await unlessAbsent(() => cells.get(wanted.name));
    return found !== undefined && !isSame(found.record, wanted, session)
      ? 1
      : await explained(session.output, session, [step(found === undefined)]);
  });
}

async function explained(...explanation: Parameters<typeof writeSteps>): Promise<number> {
  await writeSteps(...explanation);
  return 0;
}

/** Complains of a record that is not as the settings say. */
function isSame(found: Cell, wanted: Cell, { complain }: Pick<TopoIo, "complain">): boolean {
  if (!sameCell(found, wanted)) {
    complain(
      `cell ${wanted.name} exists and has ${cellSummary(found)}; the settings say ${cellSummary(wanted)} (see --topo-cell-root, --topo-global-server-addresses)`,
    );
    return false;
  }
  return true;
}

function sameCell(a: Cell, b: Cell): boolean {
  const servers = (cell: Cell): string => cell.serverAddresses.toSorted().join(",");
  return a.root === b.root && servers(a) === servers(b);
}
