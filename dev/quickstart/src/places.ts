import { join } from "node:path";

/** The files of one quickstart. */
export interface Places {
  /** PostgreSQL's data. */
  readonly data: string;
  /** The password of the role `postgres`, readable by its owner only. */
  readonly password: string;
  /** What belongs to PostgreSQL and not to its data: the log, the socket. */
  readonly server: string;
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
    postgresLog: join(directory, "server", "postgresql.log"),
    passwordFile: join(directory, "server", "pgpass"),
    poolerLog: join(directory, "pooler.log"),
    poolerSettings: join(directory, "pooler.yaml"),
    poolerMemory: join(directory, "pooler"),
    topology: join(directory, "topology.db"),
    state: join(directory, "running.json"),
  };
}
