import { ManualClock } from "@multipooler/timing/testing";
import { ActivityTotals } from "../src/pool/activity-totals.ts";
import type { MultiPoolerError } from "../src/error.ts";
import { Scheduler } from "../src/pool/scheduler.ts";
import type { SchedulerOptions } from "../src/pool/scheduler-options.ts";
import { CountingShare } from "./counting-share.ts";
import { FakeServer } from "./fake-server.ts";
import type { FakeRequest } from "./fake-backend.ts";
import { silentLogger } from "./silent-logger.ts";

/** A scheduler together with everything around it. */
export interface SchedulerScene {
  readonly pool: Scheduler;
  readonly server: FakeServer;
  readonly clock: ManualClock;
  readonly share: CountingShare;
  /** What the scheduler found suspect. */
  readonly suspicions: MultiPoolerError[];
}

/** A scheduler of two sessions whose server accepts every dial at once, unless it is told otherwise. */
export function setUp(
  options: Partial<SchedulerOptions> & {
    acceptsAtOnce?: boolean;
    limit?: number;
    onRequest?: (request: FakeRequest) => void;
  } = {},
): SchedulerScene {
  const { acceptsAtOnce = true, limit = 10, onRequest, ...rest } = options;
  const clock = new ManualClock();
  const share = new CountingShare(limit);
  const server = new FakeServer({ acceptsAtOnce, ...(onRequest && { onRequest }) });
  const suspicions: MultiPoolerError[] = [];
  const pool = new Scheduler(
    {
      openBackend: server.open,
      capacity: 2,
      share,
      user: "app",
      users: () => 1,
      demandWindowMs: 30_000,
      idleTimeoutMs: 1000,
      maxLifetimeMs: 10_000,
      waitTimeoutMs: 500,
      maxQueueBytes: 1_000_000,
      totals: new ActivityTotals(),
      sharingDepth: 64,
      closeGraceMs: 300,
      processes: { activities: () => Promise.resolve([]), endIdle: () => Promise.resolve() },
      suspect: (cause) => suspicions.push(cause),
      clock,
      poolerTime: { waitedMs: () => clock.monotonic(), workMs: () => 0 },
      random: () => 0,
      logger: silentLogger,
      ...rest,
    },
    "read-write",
  );
  return { pool, server, clock, share, suspicions };
}
