import type { ManagerStatus } from "@multipooler/manager";
import type { Administration } from "@multipooler/poolerserver";
import type { WorkSample } from "@multipooler/status-page";
import type { Clock } from "@multipooler/timing";

/** What a pooler and its manager tell about work. */
export interface WorkSources {
  readonly administration: Pick<Administration, "databases" | "pools">;
  readonly status: () => Pick<ManagerStatus, "heartbeat">;
  readonly clock: Clock;
}

interface Totals {
  readonly requests: number;
  readonly busyMs: number;
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
      meanMs: requests > 0 ? (totals.busyMs - before.busyMs) / requests : undefined,
      used: pools.reduce((sum, { servers }) => sum + usedOf(servers), 0),
      waiting: pools.reduce((sum, { waiting }) => sum + waiting, 0),
      longestWaitMs: Math.max(0, ...pools.map(({ longestWaitMs }) => longestWaitMs)),
      bytes: (totals.bytes - before.bytes) / seconds,
      lagMs: heartbeat.mode === "reader" ? heartbeat.lagMs : undefined,
    };
  }

  #totals(): Totals {
    let [requests, busyMs, bytes] = [0, 0, 0];
    for (const { totals } of this.#sources.administration.databases()) {
      requests += totals.requests;
      busyMs += totals.busyMs;
      bytes += totals.bytesSent + totals.bytesReceived;
    }
    return { requests, busyMs, bytes };
  }
}

function usedOf(servers: readonly { readonly state: string }[]): number {
  return servers.filter(({ state }) => state === "active").length;
}
