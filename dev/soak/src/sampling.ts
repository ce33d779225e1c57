import { setTimeout as elapsed } from "node:timers/promises";
import { collectedMemory, cpuUs, openFiles, residentBytes } from "@multipooler/pooler-process";
import { SoakConnection } from "./connection.ts";
import { referenceUs } from "./reference.ts";
import type { Stand } from "./stand.ts";

const MIB = 1024 * 1024;

/** What the program looked like at one time. */
export interface Sample {
  readonly minute: number;
  /** Before a garbage collection. */
  readonly residentMib: number;
  /** What a garbage collection leaves. */
  readonly liveMib: number;
  readonly handles: number;
  readonly files: number;
  readonly clients: number;
  readonly servers: number;
  /** Statements a second since the last sample. */
  readonly rate: number;
  /** CPU of the program for each of them, on a machine as fast as it was at the first sample. */
  readonly cpuUs: number;
}

/** What the program has done and spent so far. */
interface Spent {
  readonly atMs: number;
  readonly cpuUs: number;
  readonly statements: number;
}

/** Looks at the program at an interval. */
export class Sampling {
  readonly samples: Sample[] = [];
  readonly #stand: Stand;
  readonly #onSample: (sample: Sample) => void;
  readonly #startedAt = performance.now();
  #last: Spent | undefined;
  #firstReferenceUs: number | undefined;

  constructor(stand: Stand, onSample: (sample: Sample) => void) {
    this.#stand = stand;
    this.#onSample = onSample;
  }

  /** Takes samples until the signal aborts. */
  async run(intervalMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const sample = await this.take();
      this.samples.push(sample);
      this.#onSample(sample);
      await elapsed(intervalMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** A look at the program; not remembered. */
  async take(): Promise<Sample> {
    const { pooler } = this.#stand;
    const resident = residentBytes(pooler.pid);
    const { lists, statements } = await this.#console();
    const spent = { atMs: performance.now(), cpuUs: cpuUs(pooler.pid), statements };
    const last = this.#last ?? { atMs: this.#startedAt, cpuUs: 0, statements: 0 };
    const done = Math.max(1, spent.statements - last.statements);
    const { live, handles } = await collectedMemory(pooler);
    // What looking costs is nobody's statement.
    this.#last = { ...spent, cpuUs: cpuUs(pooler.pid) };
    return {
      minute: (spent.atMs - this.#startedAt) / 60_000,
      residentMib: resident / MIB,
      liveMib: live / MIB,
      handles,
      files: openFiles(pooler.pid),
      clients: lists.get("used_clients") ?? 0,
      servers: lists.get("used_servers") ?? 0,
      rate: (done * 1000) / (spent.atMs - last.atMs),
      cpuUs: ((spent.cpuUs - last.cpuUs) / done) * this.#speed(),
    };
  }

  /** Of the machine, 1 at the first sample. */
  #speed(): number {
    const now = referenceUs();
    this.#firstReferenceUs ??= now;
    return this.#firstReferenceUs / now;
  }

  async #console(): Promise<{ lists: ReadonlyMap<string, number>; statements: number }> {
    await using console = await SoakConnection.open({
      ...this.#stand.address,
      database: "multipooler",
    });
    const lists = await console.query("SHOW LISTS");
    const totals = await console.query("SHOW STATS_TOTALS");
    const sum = (counts: readonly number[]): number => counts.reduce((all, one) => all + one, 0);
    return {
      lists: new Map(lists.rows.map(({ list, items }) => [String(list), Number(items)])),
      statements: sum(totals.rows.map(({ query_count: count }) => Number(count))),
    };
  }
}
