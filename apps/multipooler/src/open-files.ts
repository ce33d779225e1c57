import * as z from "zod";
import { ConfigError } from "./config.ts";
import type { Config } from "./settings.ts";

/** How many connections the process may have at once, by what they are for. */
export interface ConnectionLimits {
  /** The limit that they were derived from, as `ulimit -n` has it. */
  readonly openFiles: number;
  readonly http: number;
  readonly grpc: number;
  /** Connections to PostgreSQL that serve queries. */
  readonly pool: number;
}

/**
 * What the process needs for itself: about 25 files of Node, three of SQLite or one of etcd, the
 * listeners, the manager's own connections.
 */
const OWN_FILES = 32;
/** The share of what is left for probes, and as much again for dials and cancel requests. */
const RESERVED_SHARE = 8;
const LEAST_RESERVED = 4;
const MOST_RESERVED = 64;
/** With these there is one connection for a client and one to PostgreSQL. */
const LEAST_OPEN_FILES = OWN_FILES + 2 * LEAST_RESERVED + 2;

/**
 * Divides the files that the process may open. The pool gets what it is set to, but at most half,
 * and gRPC the rest, so that neither can take what the other, or a probe, needs.
 *
 * @throws ConfigError when there are too few files, or too few for `--grpc-max-connections`.
 */
export function connectionLimits(
  config: Pick<Config, "globalCapacity" | "grpcMaxConnections">,
  openFiles: number,
): ConnectionLimits {
  if (openFiles < LEAST_OPEN_FILES) {
    throw new ConfigError([
      `the limit of open files (ulimit -n) is ${openFiles}, the pooler needs at least ${LEAST_OPEN_FILES}`,
    ]);
  }
  const free = openFiles - OWN_FILES;
  const share = Math.floor(free / RESERVED_SHARE);
  const reserved = Math.min(Math.max(share, LEAST_RESERVED), MOST_RESERVED);
  const divided = free - 2 * reserved;
  const pool = Math.min(config.globalCapacity, Math.floor(divided / 2));
  const grpc = divided - pool;
  const wanted = config.grpcMaxConnections;
  if (wanted !== undefined && wanted > grpc) {
    throw new ConfigError([
      `--grpc-max-connections: ${wanted} is more than the ${grpc} that a limit of ${openFiles} open files (ulimit -n) allows`,
    ]);
  }
  return { openFiles, http: reserved, grpc: wanted ?? grpc, pool };
}

/** As many as "unlimited" comes to. */
const UNLIMITED = 1_048_576;

const report = z.object({
  userLimits: z.object({
    open_files: z.object({ soft: z.union([z.number(), z.literal("unlimited")]) }),
  }),
});

/**
 * The limit of open files of this process. Node raises the soft limit to the hard one at its start.
 * To be called before there are connections: Node's report looks up the names of all peers.
 */
export function openFilesLimit(): number {
  const { data } = report.safeParse(process.report.getReport());
  const soft = data?.userLimits.open_files.soft ?? UNLIMITED;
  return soft === "unlimited" ? UNLIMITED : soft;
}
