import { BucketCounts } from "@multipooler/timing";

/** Upper bounds of what is counted together, in milliseconds: those of OpenTelemetry for calls, and finer ones. */
export const CALL_TIME_BOUNDS_MS: readonly number[] = [
  0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000,
];

/** In the words of OpenTelemetry: what is called by a name that the server does not have. */
const OTHER = "_OTHER";
/** By their numbers. */
const STATUS_NAMES: readonly string[] = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/** Calls of one method that have ended with one status. */
export interface CallTimesReport {
  /** "service/Method"; "_OTHER" stands for all that the server does not have. */
  readonly method: string;
  /** "OK", "CANCELLED", … */
  readonly status: string;
  /** How many took how long, by `CALL_TIME_BOUNDS_MS`. */
  readonly times: readonly number[];
  readonly totalMs: number;
}

/** Counts how long calls took, by method and by the status that they ended with. */
export class CallTimes {
  readonly #methods = new Map<string, MethodTimes>();
  /** Of what the server does not have. */
  readonly other: MethodTimes = this.of(OTHER);

  /** @param method "service/Method" */
  of(method: string): MethodTimes {
    const known = this.#methods.get(method) ?? new MethodTimes(method);
    this.#methods.set(method, known);
    return known;
  }

  /** As of now. What was not called is not there. */
  report(): readonly CallTimesReport[] {
    return [...this.#methods.values()].flatMap((method) => method.report());
  }
}

/** Counts the calls of one method. */
export class MethodTimes {
  readonly #method: string;
  /** By the number of the status. */
  readonly #times: (BucketCounts | undefined)[] = STATUS_NAMES.map(() => undefined);

  constructor(method: string) {
    this.#method = method;
  }

  /** @param status its number */
  note(status: number, ms: number): void {
    const times = this.#times[status] ?? new BucketCounts(CALL_TIME_BOUNDS_MS);
    this.#times[status] = times;
    times.note(ms);
  }

  report(): readonly CallTimesReport[] {
    return STATUS_NAMES.flatMap((status, index) => {
      const times = this.#times[index];
      return times === undefined
        ? []
        : [{ method: this.#method, status, times: Array.from(times.counts), totalMs: times.sum }];
    });
  }
}
