import type { Course, Load } from "./load.ts";

/** Where the PostgreSQL of the bench listens. */
export interface PostgresPlace {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

/** A way to do the work, in this process, with callers of its own. */
export interface Subject {
  run(load: Load): Promise<Course>;
  close(): Promise<void>;
}
