import { Metadata } from "@grpc/grpc-js";

/** Carries what became of a call that succeeded, for clients of this package. */
const OUTCOME_KEY = "pgctld-outcome";

/**
 * What became of a call whose message says it in words alone. A daemon of somebody else's sends none: then
 * what was asked for was done.
 */
export const CallOutcome = {
  AlreadyInitialized: "already-initialized",
  AlreadyRunning: "already-running",
  NotRunning: "not-running",
  StoppedSmart: "smart",
  StoppedFast: "fast",
  StoppedImmediate: "immediate",
  StoppedKill: "kill",
  Diverged: "diverged",
} as const;
export type CallOutcome = (typeof CallOutcome)[keyof typeof CallOutcome];

/** The trailers of a call. */
export function outcomeMetadata(outcome: CallOutcome | undefined): Metadata {
  const metadata = new Metadata();
  if (outcome !== undefined) {
    metadata.set(OUTCOME_KEY, outcome);
  }
  return metadata;
}

/** What the trailers of a call say. */
export function outcomeOf(metadata: Metadata): CallOutcome | undefined {
  const [carried] = metadata.get(OUTCOME_KEY);
  return Object.values(CallOutcome).find((each) => each === carried);
}
