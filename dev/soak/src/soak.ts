import { Crowd } from "./crowd.ts";
import { ErrorCounts } from "./error-counts.ts";
import type { ErrorCount } from "./error-counts.ts";
import { judge } from "./judgement.ts";
import type { Level } from "./judgement.ts";
import { Ledger } from "./ledger.ts";
import type { LedgerFaults } from "./ledger.ts";
import type { SoakOptions } from "./options.ts";
import { Outages } from "./outages.ts";
import { Probe } from "./probe.ts";
import { remainsOf } from "./remains.ts";
import type { Remains } from "./remains.ts";
import { reportOf, sampleHeading, sampleLine } from "./report.ts";
import { Sampling } from "./sampling.ts";
import { Stalls } from "./stalls.ts";
import { startStand } from "./stand.ts";
import type { Stand } from "./stand.ts";

const MINUTE_MS = 60_000;
const SAMPLE_MS = 10_000;
/** So many at least, however short it is. */
const LEAST_SAMPLES = 24;
const RESTARTS = 6;
/** What happens around a stall is not judged; of a run that stalls for longer, too little is. */
const MOST_STALLED = 1 / 3;

/** What a soak has found. */
export interface SoakResult {
  readonly levels: readonly Level[];
  readonly errors: readonly ErrorCount[];
  readonly ledger: {
    readonly acknowledged: number;
    readonly doubtful: number;
    readonly faults: LedgerFaults;
  };
  readonly remains: Remains;
  readonly visits: ReadonlyMap<string, number>;
  readonly outages: number;
  /** How often PostgreSQL itself answered too late. */
  readonly stalls: number;
  /** The part of the time in which errors were excused by that. */
  readonly stalledShare: number;
  /** The exit code of the program, or the signal that ended it. */
  readonly exit: string;
  readonly isGood: boolean;
}

/**
 * Lets clients work with the program for a while, and judges whether it is as it was before. Prints each
 * sample and the report; true if all is well. The signal ends it early, with a report of what there is.
 */
export async function soak(
  options: SoakOptions,
  print: (text: string) => void,
  { signal }: { readonly signal: AbortSignal },
): Promise<boolean> {
  await using stack = new AsyncDisposableStack();
  const stand = await startStand(stack);
  const ledger = new Ledger();
  const errors = new ErrorCounts();
  const probe = stack.use(new Probe({ ...stand.address, port: stand.postgres.port }));
  const stalls = new Stalls({ probe: (until) => probe.ask(until), now: () => performance.now() });
  const outages = new Outages(stand, stalls);
  const crowd = new Crowd({ ...options, stand, ledger, errors, outages });
  const sampling = new Sampling(stand, (sample) => print(sampleLine(sample)));
  print(sampleHeading());
  const startedAt = performance.now();
  await work(options, { crowd, outages, stalls, sampling, signal });
  const stalledShare = Math.min(1, stalls.excusedMs / (performance.now() - startedAt));
  const remains = await remainsOf(stand, sampling);
  const faults = ledger.compare(await rowsOf(stand));
  const { code, signal: killedBy } = await stand.pooler.stop();
  const levels = judge(sampling.samples);
  const result: SoakResult = {
    levels,
    errors: errors.list(),
    ledger: { acknowledged: ledger.acknowledged, doubtful: ledger.doubtful, faults },
    remains,
    visits: crowd.visits,
    outages: outages.count,
    stalls: stalls.count,
    stalledShare,
    exit: String(killedBy ?? code),
    isGood:
      levels.every(({ isLevel }) => isLevel) &&
      errors.list().every(({ why }) => why !== undefined) &&
      Object.values(faults).every((ids: readonly number[]) => ids.length === 0) &&
      remains.faults.length === 0 &&
      stalledShare <= MOST_STALLED &&
      code === 0,
  };
  print(reportOf(result));
  return result.isGood;
}

/** Resolves when the time is over and all clients have left. */
async function work(
  { minutes }: SoakOptions,
  parts: {
    readonly crowd: Crowd;
    readonly outages: Outages;
    readonly stalls: Stalls;
    readonly sampling: Sampling;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const durationMs = minutes * MINUTE_MS;
  const enough = AbortSignal.any([parts.signal, AbortSignal.timeout(durationMs)]);
  const sampleMs = Math.min(SAMPLE_MS, durationMs / LEAST_SAMPLES);
  const over = new AbortController();
  await Promise.all([
    parts.crowd.run(enough).finally(() => over.abort()),
    parts.outages.run(durationMs / (RESTARTS + 1), enough),
    parts.stalls.run(over.signal),
    parts.sampling.run(sampleMs, enough),
  ]);
}

async function rowsOf({ postgres }: Stand): Promise<number[]> {
  return (await postgres.sql("select id from ledger")).map(({ id }) => Number(id));
}
