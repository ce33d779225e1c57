import { ANSWER_TIME_BOUNDS_MS, ROW_COUNT_BOUNDS } from "@multipooler/poolerserver";
import type { Administration, KindActivity } from "@multipooler/poolerserver";
import type { Attributes } from "@opentelemetry/api";
import type { CountedHistogram, CountedValues } from "./counted-histograms.ts";

const BOUNDS_SECONDS = ANSWER_TIME_BOUNDS_MS.map((ms) => ms / 1000);

/**
 * Requests of each user in each database: their times, their rows, and how long they waited. Those of
 * reservations are apart from the others, as Multigres has pools for them.
 */
export function queryHistograms(
  administration: Pick<Administration, "users">,
): readonly CountedHistogram[] {
  const byKind = (read: ReadKind) => () =>
    administration
      .users()
      .flatMap(({ database, user, regular, reserved }) => [
        ...read(regular, { database, user, pool_type: "regular" }),
        ...read(reserved, { database, user, pool_type: "reserved" }),
      ]);
  return [
    {
      name: "mg.pooler.query.duration",
      description: "How long PostgreSQL took for requests, by whether it answered with an error.",
      unit: "s",
      bounds: BOUNDS_SECONDS,
      read: byKind(executionsOf),
    },
    {
      name: "mg.pooler.query.rows",
      description: "How many rows requests had.",
      unit: "{row}",
      bounds: ROW_COUNT_BOUNDS,
      read: byKind(({ connections: { rowCounts: counts, rows: sum } }, attributes) => [
        { attributes, counts, sum },
      ]),
    },
    {
      name: "mg.pooler.query.pool_acquire.duration",
      description: "How long requests waited for a connection, by what came of it.",
      unit: "s",
      bounds: BOUNDS_SECONDS,
      read: byKind(waitsOf),
    },
  ];
}

type ReadKind = (activity: KindActivity, attributes: Attributes) => readonly CountedValues[];

function executionsOf(
  { connections: { answerTimes, busyMs, failedTimes, failedMs } }: KindActivity,
  attributes: Attributes,
): readonly CountedValues[] {
  const succeeded = answerTimes.map((count, index) => count - (failedTimes[index] ?? 0));
  return [
    {
      attributes: { ...attributes, status: "ok" },
      counts: succeeded,
      sum: (busyMs - failedMs) / 1000,
    },
    { attributes: { ...attributes, status: "error" }, counts: failedTimes, sum: failedMs / 1000 },
  ];
}

/** Outcomes as Multigres has them. */
function waitsOf(
  { waits, expired }: KindActivity,
  attributes: Attributes,
): readonly CountedValues[] {
  return [
    {
      attributes: { ...attributes, outcome: "acquired" },
      counts: waits.times,
      sum: waits.totalMs / 1000,
    },
    {
      attributes: { ...attributes, outcome: "timeout" },
      counts: expired.times,
      sum: expired.totalMs / 1000,
    },
  ];
}
