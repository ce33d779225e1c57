import type { ManagerStatus } from "@multipooler/manager";
import { ANSWER_TIME_BOUNDS_MS } from "@multipooler/poolerserver";
import type { Administration, TotalFigures } from "@multipooler/poolerserver";
import type { WorkSample } from "@multipooler/status-page";
import type { Clock } from "@multipooler/timing";
import { percentile } from "./percentile.ts";

/** What a pooler and its manager tell about work. */
export interface WorkSources {
  readonly administration: Pick<Administration, "databases" | "pools">;
  readonly status: () => Pick<ManagerStatus, "heartbeat">;
  readonly clock: Clock;
}

interface Totals {
  readonly requests: number;
  readonly transactions: number;
  readonly errors: number;
  readonly answerTimes: readonly number[];
  readonly bytes: number;
}

/** Turns totals into what was done between two looks. */
export class WorkSampler {
  readonly #sources: WorkSources;
  #before: Totals | undefined;
  #beforeMs = 0;

  constructor(sources: WorkSources) {
    this.#sources = sources;
  }

  /** What was done since the last call; the first one finds nothing done. */
  take(): WorkSample {
    const { administration, status, clock } = this.#sources;
    const totals = this.#totals();
    const before = this.#before ?? totals;
    const nowMs = clock.monotonic();
    const seconds = Math.max(nowMs - this.#beforeMs, 1) / 1000;
    this.#before = totals;
    this.#beforeMs = nowMs;
    const requests = totals.requests - before.requests;
    const pools = administration.pools();
    const { heartbeat } = status();
    return {
      atMs: clock.now(),
      requests: requests / seconds,
      transactions: (totals.transactions - before.transactions) / seconds,
      errors: (totals.errors - before.errors) / seconds,
      times: timesOf(totals, before),
      used: pools.reduce((sum, { servers }) => sum + usedOf(servers), 0),
      waiting: pools.reduce((sum, { waiting }) => sum + waiting, 0),
      longestWaitMs: Math.max(0, ...pools.map(({ longestWaitMs }) => longestWaitMs)),
      bytes: (totals.bytes - before.bytes) / seconds,
      lagMs: heartbeat.mode === "reader" ? heartbeat.lagMs : undefined,
    };
  }

  #totals(): Totals {
    const all = this.#sources.administration.databases().map(({ totals }) => totals);
    const sum = (figure: (totals: TotalFigures) => number): number =>
      all.reduce((total, one) => total + figure(one), 0);
    return {
      requests: sum(({ requests }) => requests),
      transactions: sum(({ transactions }) => transactions),
      errors: sum(({ errors }) => errors.values().reduce((total, count) => total + count, 0)),
      bytes: sum(({ bytesSent, bytesReceived }) => bytesSent + bytesReceived),
      answerTimes: BUCKETS.map((index) => sum(({ answerTimes }) => answerTimes[index] ?? 0)),
    };
  }
}

const BUCKETS = [...ANSWER_TIME_BOUNDS_MS.keys(), ANSWER_TIME_BOUNDS_MS.length];

function timesOf(totals: Totals, before: Totals): WorkSample["times"] {
  const counts = totals.answerTimes.map((count, index) => count - (before.answerTimes[index] ?? 0));
  const at = (share: number): number => percentile(share, counts, ANSWER_TIME_BOUNDS_MS) ?? 0;
  return counts.every((count) => count === 0)
    ? undefined
    : { p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
}

function usedOf(servers: readonly { readonly state: string }[]): number {
  return servers.filter(({ state }) => state === "active").length;
}
