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
  /** Zeros if no port is set for them. */
  readonly clients: ClientLimits;
}

/** Clients of PostgreSQL's protocol. */
export interface ClientLimits {
  readonly limit: number;
  /**
   * Up to twice as many as `limit`, and some more at least: all clients may ask for a cancel at once, and
   * to refuse one in words takes a connection too.
   */
  readonly connections: number;
}

/**
 * Files that the process needs for itself beside the manager's statements: about 25 for Node, three for
 * SQLite or one for etcd, and two listeners.
 */
const OWN_FILES = 30;
/** One in eight of the rest is for probes, and as many for dials and cancel requests. */
const RESERVED_SHARE = 8;
const LEAST_RESERVED = 4;
const MOST_RESERVED = 64;
/** Beside the process' own: leaves one connection for a client and one to PostgreSQL. */
const LEAST_FOR_OTHERS = 2 * LEAST_RESERVED + 2;
/** A listener needs a connection of a client and one to refuse another, beside those of gRPC. */
const LEAST_FOR_LISTENER = 3;
const NO_CLIENTS: ClientLimits = { limit: 0, connections: 0 };
const DEFAULT_CLIENTS = 1000;
const MOST_SPARE = 16;

/** The settings that ask for connections. */
export type ConnectionSettings = Pick<
  Config,
  "adminConnections" | "globalCapacity" | "grpcMaxConnections" | "pgListenPort" | "pgMaxClients"
>;

/**
 * Divides the files that the process may open. The pool gets its configured capacity, but at most
 * half. Clients of PostgreSQL's protocol get up to three quarters of the rest, and gRPC what is left.
 * None can take what another or a probe needs.
 *
 * @throws ConfigError when there are too few files, or too few for `--grpc-max-connections` or
 * `--pg-max-clients`.
 */
export function connectionLimits(config: ConnectionSettings, openFiles: number): ConnectionLimits {
  const own = OWN_FILES + config.adminConnections;
  const forListener = config.pgListenPort === undefined ? 0 : LEAST_FOR_LISTENER;
  const least = own + LEAST_FOR_OTHERS + forListener;
  if (openFiles < least) {
    throw new ConfigError([
      `the limit of open files (ulimit -n) is ${openFiles}, the pooler needs at least ${least}`,
    ]);
  }
  const free = openFiles - own;
  const share = Math.floor(free / RESERVED_SHARE);
  const reserved = Math.min(Math.max(share, LEAST_RESERVED), MOST_RESERVED);
  const divided = free - 2 * reserved;
  const pool = Math.min(config.globalCapacity, Math.floor(divided / 2));
  const rest = divided - pool;
  const clients = clientLimits(config, rest, openFiles);
  const grpc = rest - clients.connections;
  const wanted = config.grpcMaxConnections;
  if (wanted !== undefined && wanted > grpc) {
    throw tooMany("--grpc-max-connections", { wanted, allowed: grpc, openFiles });
  }
  return { openFiles, http: reserved, grpc: wanted ?? grpc, pool, clients };
}

function clientLimits(config: ConnectionSettings, rest: number, openFiles: number): ClientLimits {
  if (config.pgListenPort === undefined) {
    return NO_CLIENTS;
  }
  const share = Math.floor((rest * 3) / 4);
  const spare = Math.min(Math.max(Math.floor(share / RESERVED_SHARE), 1), MOST_SPARE);
  const allowed = share - spare;
  const wanted = config.pgMaxClients;
  if (wanted !== undefined && wanted > allowed) {
    throw tooMany("--pg-max-clients", { wanted, allowed, openFiles });
  }
  const limit = wanted ?? Math.min(DEFAULT_CLIENTS, allowed);
  return { limit, connections: Math.max(limit + spare, Math.min(2 * limit, share)) };
}

function tooMany(
  flag: string,
  count: { readonly wanted: number; readonly allowed: number; readonly openFiles: number },
): ConfigError {
  const { wanted, allowed, openFiles } = count;
  return new ConfigError([
    `${flag}: ${wanted} is more than the ${allowed} that a limit of ${openFiles} open files (ulimit -n) allows`,
  ]);
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
