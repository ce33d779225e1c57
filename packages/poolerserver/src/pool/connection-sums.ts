import { ANSWER_TIME_BOUNDS_MS, ErrorCounts, ROW_COUNT_BOUNDS } from "@multipooler/pgwire";
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
  /** The same of those that were answered with an error. */
  readonly failedTimes: readonly number[];
  /** How long these took. */
  readonly failedMs: number;
  /** How many requests had how many rows, by `ROW_COUNT_BOUNDS`. */
  readonly rowCounts: readonly number[];
  /** Rows that PostgreSQL has sent. */
  readonly rows: number;
  /** To PostgreSQL. */
  readonly bytesSent: number;
  /** From PostgreSQL. */
  readonly bytesReceived: number;
}

type Counted = "answerTimes" | "failedTimes" | "rowCounts";

/** What one connection has done, whose counts change in place. */
export type ConnectionFigures = Omit<ConnectionSums, Counted> & Pick<ActivityFigures, Counted>;

export const NO_SUMS: ConnectionSums = {
  requests: 0,
  transactions: 0,
  busyMs: 0,
  transactionMs: 0,
  errors: new Map(),
  answerTimes: none(ANSWER_TIME_BOUNDS_MS),
  failedTimes: none(ANSWER_TIME_BOUNDS_MS),
  failedMs: 0,
  rowCounts: none(ROW_COUNT_BOUNDS),
  rows: 0,
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
    answerTimes: addCounts(one.answerTimes, other.answerTimes),
    failedTimes: addCounts(one.failedTimes, other.failedTimes),
    failedMs: one.failedMs + other.failedMs,
    rowCounts: addCounts(one.rowCounts, other.rowCounts),
    rows: one.rows + other.rows,
    bytesSent: one.bytesSent + other.bytesSent,
    bytesReceived: one.bytesReceived + other.bytesReceived,
  };
}

/** What is in `all` and not in `part`. */
export function withoutSums(all: ConnectionFigures, part: ConnectionSums): ConnectionSums {
  return {
    requests: all.requests - part.requests,
    transactions: all.transactions - part.transactions,
    busyMs: all.busyMs - part.busyMs,
    transactionMs: all.transactionMs - part.transactionMs,
    errors: withoutErrors(all.errors, part.errors),
    answerTimes: withoutCounts(all.answerTimes, part.answerTimes),
    failedTimes: withoutCounts(all.failedTimes, part.failedTimes),
    failedMs: all.failedMs - part.failedMs,
    rowCounts: withoutCounts(all.rowCounts, part.rowCounts),
    rows: all.rows - part.rows,
    bytesSent: all.bytesSent - part.bytesSent,
    bytesReceived: all.bytesReceived - part.bytesReceived,
  };
}

function withoutCounts(all: ArrayLike<number>, part: readonly number[]): readonly number[] {
  return part.map((count, index) => (all[index] ?? 0) - count);
}

/** A code that was told apart in one of them only leaves nothing. */
function withoutErrors(
  all: ReadonlyMap<string, number>,
  part: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  return new Map(
    [...all]
      .map(([sqlstate, count]) => [sqlstate, count - (part.get(sqlstate) ?? 0)] as const)
      .filter(([, count]) => count > 0),
  );
}

function none(bounds: readonly number[]): readonly number[] {
  return [...bounds, Infinity].map(() => 0);
}

function addCounts(one: readonly number[], other: ArrayLike<number>): readonly number[] {
  return one.map((count, index) => count + (other[index] ?? 0));
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
