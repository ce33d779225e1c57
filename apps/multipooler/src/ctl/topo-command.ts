import { existsSync } from "node:fs";
import type { TopoStore } from "@multipooler/topo";
import { ConfigError } from "../settings/config.ts";
import { explain } from "../fault.ts";
import type { TopologyTarget } from "../topology-target.ts";
import { openTopology } from "../topology.ts";
import { Output, OutputClosed } from "./output.ts";
import type { CtlOutput } from "./pooler-call.ts";

export type TopoIo = Pick<CtlOutput, "stdout" | "complain">;

export interface TopoOptions {
  readonly target: TopologyTarget;
  readonly json: boolean;
}

/** Open while a command runs. */
export interface TopoSession extends TopoOptions {
  readonly topology: TopoStore;
  readonly output: Output;
  readonly complain: (line: string) => void;
}

/**
 * Runs a command on the topology that the settings name and closes it; resolves with the exit code.
 * Prints one line if the topology rejects something or is unreachable.
 *
 * @throws ConfigError for a topology in memory, which only its own process can see.
 */
export async function withTopology(
  { target, json, creates = false }: TopoOptions & { readonly creates?: boolean },
  { stdout, complain }: TopoIo,
  work: (session: TopoSession) => Promise<number>,
): Promise<number> {
  const { server } = target;
  if (server.type === "memory") {
    throw new ConfigError([
      "--topo-implementation: a topology in memory is seen by its own process only",
    ]);
  }
  // Looking must not leave an empty topology at a path that was mistyped.
  if (!creates && server.type === "sqlite" && !existsSync(server.file)) {
    complain(
      `${server.file}: there is no topology yet; a pooler makes it at its start, as does "ctl topo init" (see --topo-global-server-addresses)`,
    );
    return 1;
  }
  const topology = await openTopology(target);
  try {
    return await work({ target, json, topology, output: new Output(stdout), complain });
  } catch (error) {
    if (error instanceof OutputClosed) {
      return 0;
    }
    complain(explain(error));
    return 1;
  } finally {
    await topology.close();
  }
}
