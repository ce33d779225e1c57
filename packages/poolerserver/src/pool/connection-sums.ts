import { ANSWER_TIME_BOUNDS_MS, ErrorCounts } from "@multipooler/pgwire";
import type { ActivityFigures } from "@multipooler/pgwire";

/** What several connections have done together. Durations in milliseconds. */
export interface ConnectionSums {
  readonly requests: number;
  readonly transactions: number;
  readonly busyMs: number;
  readonly transactionMs: number;
  /** Errors of PostgreSQL by SQLSTATE; the empty text stands for those that are not told apart. */
  readonly errors: ReadonlyMap<string, number>;
  /** How many requests took how long, by `ANSWER_TIME_BOUNDS_MS`; the pool's own are among them. */
  readonly answerTimes: readonly number[];
  /** To PostgreSQL. */
  readonly bytesSent: number;
  /** From PostgreSQL. */
  readonly bytesReceived: number;
}

/** What one connection has done, whose times change in place. */
export type ConnectionFigures = Omit<ConnectionSums, "answerTimes"> &
  Pick<ActivityFigures, "answerTimes">;

export const NO_SUMS: ConnectionSums = {
  requests: 0,
  transactions: 0,
  busyMs: 0,
  transactionMs: 0,
  errors: new Map(),
  answerTimes: Array.from({ length: ANSWER_TIME_BOUNDS_MS.length + 1 }, () => 0),
  bytesSent: 0,
  bytesReceived: 0,
};

export function addSums(one: ConnectionSums, other: ConnectionFigures): ConnectionSums {
  return {
    requests: one.requests + other.requests,
    transactions: one.transactions + other.transactions,
    busyMs: one.busyMs + other.busyMs,
    transactionMs: one.transactionMs + other.transactionMs,
    errors: addErrors(one.errors, other.errors),
    answerTimes: one.answerTimes.map((count, index) => count + (other.answerTimes[index] ?? 0)),
    bytesSent: one.bytesSent + other.bytesSent,
    bytesReceived: one.bytesReceived + other.bytesReceived,
  };
}

function addErrors(
  one: ReadonlyMap<string, number>,
  other: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  if (other.size === 0) {
    return one;
  }
  const counts = new ErrorCounts();
  for (const [sqlstate, count] of [...one, ...other]) {
    counts.note(sqlstate, count);
  }
  return counts.counts;
}
