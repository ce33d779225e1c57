import type { Sample } from "./sampling.ts";

/** How far a level may be above that after the warm-up. */
interface Allowance {
  readonly measure: keyof Sample;
  readonly label: string;
  readonly share: number;
  /** Beside that, for measures that jump by so much. */
  readonly slack: number;
}

/** Nothing of this may grow with time. */
const ALLOWANCES: readonly Allowance[] = [
  { measure: "residentMib", label: "resident memory, MiB", share: 0.1, slack: 16 },
  { measure: "liveMib", label: "live memory, MiB", share: 0.1, slack: 2 },
  { measure: "handles", label: "handles", share: 0.1, slack: 8 },
  { measure: "files", label: "open files", share: 0.1, slack: 8 },
  { measure: "cpuUs", label: "CPU a statement, µs", share: 0.4, slack: 200 },
];

/** The part of the samples in which the program becomes warm. */
const WARM_UP_SHARE = 1 / 6;
const PARTS = 3;

/** The level of one measure, third by third after the warm-up. */
export interface Level {
  readonly label: string;
  readonly medians: readonly number[];
  /** The most that the last of them may be. */
  readonly limit: number;
  readonly isLevel: boolean;
}

/**
 * Compares the level at the end with that after the warm-up: medians of thirds, so that an outage or a
 * moment of load tells nothing.
 */
export function judge(samples: readonly Sample[]): readonly Level[] {
  const warm = samples.slice(Math.ceil(samples.length * WARM_UP_SHARE));
  return ALLOWANCES.map(({ measure, label, share, slack }) => {
    const values = (measure === "cpuUs" ? busyOf(warm) : warm).map((sample) => sample[measure]);
    const medians = Array.from({ length: PARTS }, (_, part) =>
      median(
        values.slice(
          Math.floor((values.length * part) / PARTS),
          Math.floor((values.length * (part + 1)) / PARTS),
        ),
      ),
    );
    const limit = (medians[0] ?? 0) * (1 + share) + slack;
    return { label, medians, limit, isLevel: (medians.at(-1) ?? 0) <= limit };
  });
}

/** Those in which there was enough to do: what little costs in an outage tells nothing. */
function busyOf(samples: readonly Sample[]): readonly Sample[] {
  const usual = median(samples.map(({ rate }) => rate));
  return samples.filter(({ rate }) => rate >= usual / 2);
}

/** NaN of nothing, which is no level. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
