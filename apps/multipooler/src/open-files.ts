import * as z from "zod";
import { ConfigError } from "./settings/config.ts";
import type { Config } from "./settings/settings.ts";

/** Maximum number of simultaneous connections by purpose. */
export interface ConnectionLimits {
  /** The limit of open files (`ulimit -n`) that the others are derived from. */
  readonly openFiles: number;
  readonly http: number;
  readonly grpc: number;
  /** Connections to PostgreSQL that serve queries. */
  readonly pool: number;
}

/**
 * Files that the process needs for itself: about 25 for Node, three for SQLite or one for etcd, two
 * listeners and the manager's own connections.
 */
const OWN_FILES = 32;
/** One in eight of the rest is for probes, and as many for dials and cancel requests. */
const RESERVED_SHARE = 8;
const LEAST_RESERVED = 4;
const MOST_RESERVED = 64;
/** Leaves one connection for a client and one to PostgreSQL. */
const LEAST_OPEN_FILES = OWN_FILES + 2 * LEAST_RESERVED + 2;

/**
 * Divides the files that the process may open. The pool gets its configured capacity, but at most
 * half; gRPC gets the rest. Neither can take what the other or a probe needs.
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

/** Stands for "unlimited": Linux' default maximum for a process. */
const UNLIMITED = 1_048_576;

const report = z.object({
  userLimits: z.object({
    open_files: z.object({ soft: z.union([z.number(), z.literal("unlimited")]) }),
  }),
});

/**
 * The limit of open files of this process. Node raises the soft limit to the hard one at its start.
 * Call it before there are connections: Node's report does a reverse DNS lookup for each peer.
 */
export function openFilesLimit(): number {
  const { data } = report.safeParse(process.report.getReport());
  const soft = data?.userLimits.open_files.soft ?? UNLIMITED;
  return soft === "unlimited" ? UNLIMITED : soft;
}
