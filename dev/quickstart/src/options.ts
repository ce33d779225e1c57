import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { QuickstartError } from "./error.ts";
import { countReplicas, portsOf } from "./members.ts";

/** The TCP ports of one quickstart, all on loopback. */
export interface Ports {
  readonly postgres: number;
  readonly http: number;
  readonly grpc: number;
  /** Where the pooler listens for psql and drivers. */
  readonly psql: number;
}

/** Where `npm start` keeps its files, and which ports it asks for. */
export interface QuickstartOptions {
  /** Holds the data, the logs and the state; absolute. */
  readonly directory: string;
  readonly ports: Ports;
  /** How many standbys there are beside the first PostgreSQL. */
  readonly replicas: number;
}

/** More than anybody needs to try out, and few enough for a laptop. */
const MAX_REPLICAS = 5;

/** The pooler's own defaults, and for PostgreSQL and its clients PostgreSQL's with a one before it. */
export const DEFAULT_PORTS: Ports = { postgres: 15_432, http: 15_200, grpc: 15_270, psql: 15_433 };

/** The help text; `npm start -- --help` prints it. */
export const HELP: string = `npm start -- [options]

  --postgres-port <port>  PostgreSQL's port (default ${DEFAULT_PORTS.postgres})
  --http-port <port>      the pooler's port for the status page, /ready and /metrics (default ${DEFAULT_PORTS.http})
  --grpc-port <port>      the pooler's port for gRPC (default ${DEFAULT_PORTS.grpc})
  --psql-port <port>      the pooler's port for psql and drivers (default ${DEFAULT_PORTS.psql})
  --replicas <n>          standbys, each with a pooler of its own, on the ports above plus 10, 20, …
                          (0 to ${MAX_REPLICAS}; default: as many as there are already)
  --directory <path>      data, logs and state (default .multipooler in the repository)
  --help                  this text
`;

/** The repository: this file is in dev/quickstart/src, or dist once it is built. */
const REPOSITORY = resolve(import.meta.dirname, "../../..");

/**
 * Reads the command line. Undefined means that help is wanted.
 *
 * @throws QuickstartError `bad-option`, naming the option.
 */
export function readOptions(args: readonly string[]): QuickstartOptions | undefined {
  const values = parse(args);
  if (values.help === true) {
    return undefined;
  }
  const directory = resolve(values.directory ?? join(REPOSITORY, ".multipooler"));
  const replicas = readReplicas(values.replicas) ?? countReplicas(directory);
  const ports = {
    postgres: readPort("--postgres-port", values["postgres-port"], DEFAULT_PORTS.postgres),
    http: readPort("--http-port", values["http-port"], DEFAULT_PORTS.http),
    grpc: readPort("--grpc-port", values["grpc-port"], DEFAULT_PORTS.grpc),
    psql: readPort("--psql-port", values["psql-port"], DEFAULT_PORTS.psql),
  };
  const last = portsOf(ports, replicas);
  const highest = Math.max(last.postgres, last.http, last.grpc, last.psql);
  if (highest > 65_535) {
    const message = `--replicas: the ports of replica ${replicas} would go up to ${highest}, above 65535`;
    throw new QuickstartError("bad-option", message);
  }
  return { directory, ports, replicas };
}

interface Values {
  readonly "postgres-port"?: string | undefined;
  readonly "http-port"?: string | undefined;
  readonly "grpc-port"?: string | undefined;
  readonly "psql-port"?: string | undefined;
  readonly directory?: string | undefined;
  readonly replicas?: string | undefined;
  readonly help?: boolean | undefined;
}

function parse(args: readonly string[]): Values {
  try {
    return parseArgs({
      args: [...args],
      options: {
        "postgres-port": { type: "string" },
        "http-port": { type: "string" },
        "grpc-port": { type: "string" },
        "psql-port": { type: "string" },
        directory: { type: "string" },
        replicas: { type: "string" },
        help: { type: "boolean" },
      },
    }).values;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new QuickstartError("bad-option", `${reason} (npm start -- --help)`, { cause });
  }
}

function readReplicas(text: string | undefined): number | undefined {
  if (text === undefined) {
    return undefined;
  }
  const count = Number(text);
  if (/^\d+$/.test(text) && count <= MAX_REPLICAS) {
    return count;
  }
  throw new QuickstartError("bad-option", `--replicas: "${text}" is not from 0 to ${MAX_REPLICAS}`);
}

function readPort(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) {
    return otherwise;
  }
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) {
    return port;
  }
  throw new QuickstartError("bad-option", `${option}: "${text}" is not a port (1 to 65535)`);
}
