import type { Latencies, Load } from "./load.ts";

/** Where the PostgreSQL of the bench listens. */
export interface PostgresPlace {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

/** A layer of the pooler in this process, with callers of its own. */
export interface Subject {
  run(load: Load): Promise<Latencies>;
  close(): Promise<void>;
}
