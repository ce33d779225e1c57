import { cpus } from "node:os";
import { tableText } from "@multipooler/text-table";
import type { Spread } from "./spread.ts";

/** The lines of a report: ratios only, since absolute times of a shared machine tell nothing. */
export function report(
  title: string,
  rows: readonly { readonly name: string; readonly ratio: Spread }[],
  rounds: number,
): string {
  const lines = rows.map(({ name, ratio }) => [
    name,
    ratio.median.toFixed(3),
    `${ratio.lowerQuartile.toFixed(3)} … ${ratio.upperQuartile.toFixed(3)}`,
    `${ratio.min.toFixed(3)} … ${ratio.max.toFixed(3)}`,
  ]);
  return [
    title,
    `Node ${process.version}, ${cpus().length} cores, ${rounds} interleaved rounds`,
    "",
    tableText([["", "median", "middle half", "all"], ...lines], { flushRight: [1, 2, 3] }),
  ].join("\n");
}
