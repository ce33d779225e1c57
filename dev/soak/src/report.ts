import { tableText } from "@multipooler/text-table";
import type { ErrorCount } from "./error-counts.ts";
import type { Level } from "./judgement.ts";
import type { Sample } from "./sampling.ts";
import type { SoakResult } from "./soak.ts";

const LISTED = 10;

const SAMPLE_COLUMNS = [
  ["minute", 1],
  ["residentMib", 0],
  ["liveMib", 1],
  ["handles", 0],
  ["files", 0],
  ["clients", 0],
  ["servers", 0],
  ["rate", 0],
  ["cpuUs", 0],
] as const satisfies readonly (readonly [keyof Sample, number])[];

const HEADINGS = ["min", "RSS", "live", "handles", "files", "clients", "servers", "stmt/s", "µs"];
const WIDTH = 8;

/** The heading of {@link sampleLine}. */
export function sampleHeading(): string {
  return HEADINGS.map((heading) => heading.padStart(WIDTH)).join("");
}

/** A sample as a line of a table that grows. */
export function sampleLine(sample: Sample): string {
  return SAMPLE_COLUMNS.map(([measure, digits]) =>
    sample[measure].toFixed(digits).padStart(WIDTH),
  ).join("");
}

/** Everything that a soak has found, for people. */
export function reportOf(result: SoakResult): string {
  const { levels, errors, ledger, remains, visits, outages, stalls, stalledShare, exit } = result;
  return [
    "",
    levelTable(levels),
    errorTable(errors),
    `${outages} restarts of PostgreSQL, which answered too late ${stalls} times (${(stalledShare * 100).toFixed(1)}% of the time not judged); visits: ${[...visits].map(([name, count]) => `${name} ${count}`).join(", ")}`,
    `ledger: ${ledger.acknowledged} rows acknowledged, ${ledger.doubtful} in doubt; ` +
      `lost ${list(ledger.faults.lost)}; twice ${list(ledger.faults.twice)}; surplus ${list(ledger.faults.surplus)}`,
    `at rest: ${sampleLine(remains.sample).trim().replaceAll(/ +/g, " ")} (${sampleHeading().trim().replaceAll(/ +/g, " ")}); ` +
      `left behind: ${remains.faults.length === 0 ? "nothing" : remains.faults.join(", ")}`,
    `the pooler ended with ${exit}`,
    result.isGood
      ? "level, and nothing lost"
      : "NOT LEVEL, or something was lost, or too little was judged: see above",
    "",
  ].join("\n");
}

function levelTable(levels: readonly Level[]): string {
  const rows = levels.map(({ label, medians, limit, isLevel }) => [
    label,
    ...medians.map((value) => value.toFixed(1)),
    limit.toFixed(1),
    isLevel ? "level" : "GROWS",
  ]);
  return tableText([["median of", "1st third", "2nd", "3rd", "limit", ""], ...rows], {
    flushRight: [1, 2, 3, 4],
  });
}

function errorTable(errors: readonly ErrorCount[]): string {
  const rows = errors.map(({ kind, weather, count, why, client }) => [
    String(count),
    weather,
    kind,
    why ?? `NOT EXPECTED; first: ${client}`,
  ]);
  return tableText([["errors", "", "", ""], ...rows], { flushRight: [0] });
}

function list(ids: readonly number[]): string {
  return ids.length === 0
    ? "none"
    : `${ids.length} (${ids.slice(0, LISTED).join()}${ids.length > LISTED ? ", …" : ""})`;
}
