import { PoolerErrorCode } from "@multipooler/query-service";
import { MultiPoolerError } from "../error.ts";
import type { SchedulerOptions } from "./scheduler-options.ts";

/** Why a unit that has waited too long got no connection, and which setting to raise. */
export function exhaustedError(
  { capacity, share, waitTimeoutMs, user, users }: SchedulerOptions,
  count: {
    readonly size: number;
    readonly idle: number;
    readonly shared: number;
    /** Units that wait, this one included. */
    readonly waiting: number;
  },
): MultiPoolerError {
  const { size, idle, shared, waiting } = count;
  const isAllottedLess = users() > 1 && share.limit < capacity;
  const setting = size < capacity && !isAllottedLess ? "max_connections of PostgreSQL" : "capacity";
  return new MultiPoolerError(
    PoolerErrorCode.PoolExhausted,
    `no connection became free within ${waitTimeoutMs} ms (waitTimeoutMs; raise ${setting}): ` +
      `role ${user} has ${size} of ${capacity} connections, ${shared} of them shared ` +
      `and ${idle} idle, ${waiting} requests wait, and what this role may have together, ` +
      `beside ${users() - 1} others, is ${share.limit}`,
  );
}

/** Why a reservation that has waited too long got no connection although there may be one. */
export function reservationsError(
  { user, waitTimeoutMs, reservedRatio }: SchedulerOptions,
  count: {
    readonly held: number;
    readonly limit: number;
    /** Units that wait, this one included. */
    readonly waiting: number;
  },
): MultiPoolerError {
  const { held, limit, waiting } = count;
  return new MultiPoolerError(
    PoolerErrorCode.PoolExhausted,
    `no connection became free for a reservation within ${waitTimeoutMs} ms (waitTimeoutMs; raise ` +
      `reservedRatio): role ${user} holds ${held} reservations and may hold ${limit} ` +
      `(reservedRatio ${reservedRatio ?? 1}), and ${waiting} requests wait`,
  );
}

/** Why a unit cannot even wait. */
export function queueFullError(queue: {
  readonly size: number;
  readonly bytes: number;
  readonly byteLength: number;
  readonly maxQueueBytes: number;
}): MultiPoolerError {
  const { size, bytes, byteLength, maxQueueBytes } = queue;
  return new MultiPoolerError(
    PoolerErrorCode.PoolExhausted,
    `too much waits for a connection: ${size} requests keep ${bytes} bytes in memory, and ` +
      `${byteLength} more would exceed maxQueueBytes, which is ${maxQueueBytes}`,
  );
}
