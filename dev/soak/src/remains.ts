import { setTimeout as elapsed } from "node:timers/promises";
import type { Sample, Sampling } from "./sampling.ts";
import type { Stand } from "./stand.ts";

/** Looking takes one. */
const OWN_CLIENTS = 1;
const REST_LIMIT_MS = 30_000;
const LOOK_MS = 500;

/** What is held on PostgreSQL although no client is there. */
const HELD_SQL = `
  select 'a transaction' as what from pg_stat_activity
    where datname = 'postgres' and pid <> pg_backend_pid() and xact_start is not null
      and backend_type = 'client backend'
  union all select 'an advisory lock' from pg_locks where locktype = 'advisory'
`;

/** The program without clients, and what they have left in it. */
export interface Remains {
  readonly sample: Sample;
  /** In words; empty if there is nothing. */
  readonly faults: readonly string[];
}

/** Waits until the program has noticed that all clients are gone, and tells what is left of them. */
export async function remainsOf({ postgres }: Stand, sampling: Sampling): Promise<Remains> {
  const until = performance.now() + REST_LIMIT_MS;
  for (;;) {
    const sample = await sampling.take();
    const held = await postgres.sql(HELD_SQL);
    const faults = held.map(({ what }) => `${String(what)} is left`);
    if (sample.clients > OWN_CLIENTS) {
      faults.push(`${sample.clients} clients are left`);
    }
    if (faults.length === 0 || performance.now() > until) {
      return { sample, faults };
    }
    await elapsed(LOOK_MS);
  }
}
