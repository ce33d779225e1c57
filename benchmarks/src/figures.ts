import { cpus } from "node:os";
import { tableText } from "@multipooler/text-table";
import { median } from "./median.ts";

/** One measured figure: the median of its rounds. */
export interface Figure {
  readonly bench: string;
  readonly case: string;
  /** How many statements are under way at once. */
  readonly concurrency: number;
  readonly subject: string;
  /**
   * Of a statement or a transaction: `cpuUs`, of that `transportUs` and `executorUs`; `bytes`, which
   * are allocated; `p50Us`, `p99Us`, the latencies. `tps`: so many a second; `mibps`: MiB of rows a
   * second.
   */
  readonly metric: string;
  readonly value: number;
  /** The subject that `ratio` compares with; the median of the ratios within each round. */
  readonly ratioTo?: string;
  readonly ratio?: number;
}

/** What one round measured of one subject, by metric; `undefined` where it could not. */
export type Sample = Readonly<Record<string, number | undefined>>;

/** The rounds of one case. */
export interface Measured {
  readonly bench: string;
  readonly case: string;
  readonly concurrency: number;
  /** The subject with which the others, and itself, are compared. */
  readonly reference: string;
  /** Of each subject the samples, in the order of the rounds. */
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
}

/** A figure for each subject and metric that has a sample. */
export function figuresOf({ samples, reference, ...measured }: Measured): Figure[] {
  const references = samples.get(reference) ?? [];
  const figures: Figure[] = [];
  for (const [subject, rounds] of samples) {
    for (const metric of new Set(rounds.flatMap((sample) => Object.keys(sample)))) {
      const values = rounds.flatMap((sample) => sample[metric] ?? []);
      const ratios = rounds.flatMap((sample, round) => {
        const [value, other] = [sample[metric], references[round]?.[metric]];
        return value === undefined || other === undefined ? [] : value / other;
      });
      if (values.length > 0) {
        const ratio = ratios.length === 0 ? {} : { ratioTo: reference, ratio: median(ratios) };
        figures.push({ ...measured, subject, metric, value: median(values), ...ratio });
      }
    }
  }
  return figures;
}

/** Every figure as a line of JSON. */
export function figureLines(figures: readonly Figure[]): string {
  return figures.map((figure) => `${JSON.stringify(figure)}\n`).join("");
}

/**
 * A table with a line for each case and subject, and for each metric its ratio. Absolute values of
 * a shared machine tell little, so they stand behind in parentheses.
 */
export function figureTable(title: string, figures: readonly Figure[], rounds: number): string {
  const metrics = [...new Set(figures.map(({ metric }) => metric))];
  const lines = new Map<string, Map<string, Figure>>();
  for (const figure of figures) {
    const key = JSON.stringify([figure.case, figure.concurrency, figure.subject]);
    const line = lines.get(key) ?? new Map<string, Figure>();
    lines.set(key, line.set(figure.metric, figure));
  }
  const rows = [...lines.values()].map((line) => {
    const [first] = line.values();
    const head = [first?.case ?? "", String(first?.concurrency ?? ""), first?.subject ?? ""];
    return [...head, ...metrics.map((metric) => cell(line.get(metric)))];
  });
  const [reference = ""] = figures.flatMap(({ ratioTo }) => ratioTo ?? []);
  return [
    `${title}; ratio to ${reference}, the value in parentheses`,
    `Node ${process.version}, ${cpus().length} cores, ${rounds} interleaved rounds`,
    "",
    tableText([["case", "at once", "subject", ...metrics], ...rows], {
      flushRight: [1, ...metrics.map((_metric, index) => index + 3)],
    }),
  ].join("\n");
}

function cell(figure: Figure | undefined): string {
  if (figure === undefined) {
    return "";
  }
  const { value, ratio } = figure;
  const shown = value >= 100 ? value.toFixed(0) : value.toFixed(1);
  return ratio === undefined ? shown : `${ratio.toFixed(2)} (${shown})`;
}
