import type { Duration } from "@multipooler/proto/duration";
import type { ManagerHealthStreamRequest } from "@multipooler/proto/manager-v1";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import { DEFAULT_STALENESS_MS } from "../health/pooler-health.ts";
import { durationMs } from "./duration-message.ts";

/** How often a snapshot is sent, and after how long a caller takes the pooler for dead. */
export interface StreamTimes {
  readonly intervalMs: number;
  readonly stalenessMs: number;
}

/** Multigres' default. */
const DEFAULT_INTERVAL_MS = 5_000;
const MIN_INTERVAL_MS = 100;
const MAX_STALENESS_MS = 86_400_000;
/** Two messages may be lost before a caller takes the pooler for dead. */
const INTERVALS_PER_STALENESS = 3;

/**
 * What holds of the times that the first request of a stream asks for.
 *
 * @throws INVALID_ARGUMENT where the request does not start a stream, or a time is negative
 */
export function streamTimes(first: ManagerHealthStreamRequest | undefined): StreamTimes {
  if (first?.message?.$case !== "start") {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.InvalidArgument,
      "the first message of a health stream must be its start",
    );
  }
  const { snapshotInterval, stalenessTimeout } = first.message.value;
  const stalenessMs = clamp(
    askedMs("staleness_timeout", stalenessTimeout, DEFAULT_STALENESS_MS),
    MIN_INTERVAL_MS * INTERVALS_PER_STALENESS,
    MAX_STALENESS_MS,
  );
  const intervalMs = clamp(
    askedMs("snapshot_interval", snapshotInterval, DEFAULT_INTERVAL_MS),
    MIN_INTERVAL_MS,
    stalenessMs / INTERVALS_PER_STALENESS,
  );
  return { intervalMs, stalenessMs };
}

function askedMs(field: string, asked: Duration | undefined, defaultMs: number): number {
  const ms = asked === undefined ? 0 : durationMs(field, asked);
  return ms === 0 ? defaultMs : ms;
}

function clamp(ms: number, minMs: number, maxMs: number): number {
  return Math.min(Math.max(ms, minMs), maxMs);
}
