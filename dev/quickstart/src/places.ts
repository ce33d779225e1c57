import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The files of one quickstart. */
export interface Places {
  /** PostgreSQL's data. */
  readonly data: string;
  /** The password of the role `postgres`, readable by its owner only. */
  readonly password: string;
  /** What belongs to PostgreSQL and not to its data: the log, the lock of who controls it. */
  readonly server: string;
  /** PostgreSQL's socket and that of its control. */
  readonly sockets: string;
  readonly postgresLog: string;
  /** The password as libpq reads it, for PostgreSQL as a standby. */
  readonly passwordFile: string;
  /** The pooler's log as JSON lines, and its complaints. */
  readonly poolerLog: string;
  /** The pooler's configuration file, which is the user's to edit. */
  readonly poolerSettings: string;
  /** What the pooler remembers over restarts. */
  readonly poolerMemory: string;
  /** The topology, a SQLite file. */
  readonly topology: string;
  /** What runs; see `State`. */
  readonly state: string;
}

/** Where everything is within the quickstart's directory. */
export function placesIn(directory: string): Places {
  return {
    data: join(directory, "postgres"),
    password: join(directory, "postgres-password"),
    server: join(directory, "server"),
    sockets: socketsIn(directory),
    postgresLog: join(directory, "server", "postgresql.log"),
    passwordFile: join(directory, "server", "pgpass"),
    poolerLog: join(directory, "pooler.log"),
    poolerSettings: join(directory, "pooler.yaml"),
    poolerMemory: join(directory, "pooler"),
    topology: join(directory, "topology.db"),
    state: join(directory, "running.json"),
  };
}

/** The longest path of a unix socket that both Linux (107 bytes) and macOS (103) take. */
const SOCKET_PATH_MAX_BYTES = 103;

/** Beside the log, unless the sockets' paths would be too long; the next `npm start` finds it there, too. */
function socketsIn(directory: string): string {
  const beside = join(directory, "server", "sockets");
  if (Buffer.byteLength(join(beside, ".s.PGSQL.65535")) <= SOCKET_PATH_MAX_BYTES) {
    return beside;
  }
  const name = createHash("sha256").update(directory).digest("hex").slice(0, 16);
  return join(tmpdir(), `multipooler-${name}`);
}
