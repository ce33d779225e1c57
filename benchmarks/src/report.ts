import { cpus } from "node:os";
import type { Spread } from "./spread.ts";

/** The lines of a report: ratios only, since absolute times of a shared machine tell nothing. */
export function report(
  title: string,
  rows: readonly { readonly name: string; readonly ratio: Spread }[],
  rounds: number,
): string {
  const width = Math.max(...rows.map(({ name }) => name.length));
  const lines = rows.map(({ name, ratio }) =>
    [
      name.padEnd(width),
      ratio.median.toFixed(3).padStart(7),
      `${ratio.lowerQuartile.toFixed(3)} … ${ratio.upperQuartile.toFixed(3)}`.padStart(16),
      `${ratio.min.toFixed(3)} … ${ratio.max.toFixed(3)}`.padStart(16),
    ].join("  "),
  );
  const head = [
    "".padEnd(width),
    "median".padStart(7),
    "middle half".padStart(16),
    "all".padStart(16),
  ].join("  ");
  return [
    title,
    `Node ${process.version}, ${cpus().length} cores, ${rounds} interleaved rounds`,
    "",
    head,
    ...lines,
    "",
  ].join("\n");
}
