import type { WorkSample } from "../report.ts";
import { el, svg } from "./dom.ts";
import type { Child } from "./dom.ts";
import { bytes, count, duration } from "./format.ts";
import { SPAN_SECONDS } from "./history.ts";

/** One small chart. */
interface Chart {
  readonly title: string;
  readonly value: (sample: WorkSample) => number | undefined;
  readonly format: (value: number) => string;
  /** The least that the top of the chart stands for, so that noise looks like noise. */
  readonly leastTop: number;
  /** Beside the value, in place of the most. */
  readonly note?: (sample: WorkSample) => string | undefined;
}

const CHARTS: readonly Chart[] = [
  { title: "Queries per second", value: ({ requests }) => requests, format: count, leastTop: 10 },
  {
    title: "Query time, 95th percentile",
    value: ({ times }) => times?.p95Ms,
    format: duration,
    leastTop: 1,
    note: ({ times }) => times && `p50 ${duration(times.p50Ms)}, p99 ${duration(times.p99Ms)}`,
  },
  { title: "Errors per second", value: ({ errors }) => errors, format: count, leastTop: 4 },
  {
    title: "Transactions per second",
    value: ({ transactions }) => transactions,
    format: count,
    leastTop: 10,
  },
  { title: "Connections in use", value: ({ used }) => used, format: count, leastTop: 4 },
  { title: "Requests waiting", value: ({ waiting }) => waiting, format: count, leastTop: 4 },
  {
    title: "Longest wait",
    value: ({ longestWaitMs }) => longestWaitMs,
    format: duration,
    leastTop: 10,
  },
  {
    title: "Traffic",
    value: (one) => one.bytes,
    format: perSecond,
    leastTop: 1024,
  },
];

const LAG: Chart = {
  title: "Replication lag",
  value: ({ lagMs }) => lagMs,
  format: duration,
  leastTop: 1000,
};

function perSecond(value: number): string {
  return `${bytes(value)}/s`;
}

/** The last minutes. Lag is shown where there is one. */
export function charts(samples: readonly WorkSample[]): readonly Child[] {
  const hasLag = samples.some(({ lagMs }) => lagMs !== undefined);
  return [...CHARTS, ...(hasLag ? [LAG] : [])].map((chart) => chartOf(chart, samples));
}

function chartOf(chart: Chart, samples: readonly WorkSample[]): HTMLElement {
  const { title, value, format, leastTop, note } = chart;
  const newest = samples.at(-1);
  const values = samples.map(value);
  const last = values.at(-1);
  const most = Math.max(0, ...values.filter((one) => one !== undefined));
  const now = last === undefined ? "–" : format(last);
  const label = `${title}: ${now}, at most ${format(most)} in the last ${SPAN_SECONDS / 60} minutes`;
  const { line, area } = paths(values, Math.max(most, leastTop));
  return el(
    "figure",
    "chart",
    el(
      "figcaption",
      "",
      el("span", "chart-title", title),
      el("span", "chart-now", now),
      el("span", "chart-most", (newest && note?.(newest)) ?? `max ${format(most)}`),
    ),
    svg(
      "svg",
      {
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        preserveAspectRatio: "none",
        role: "img",
        "aria-label": label,
      },
      svg("path", { class: "chart-area", d: area }),
      svg("path", { class: "chart-line", d: line }),
    ),
  );
}

const WIDTH = SPAN_SECONDS - 1;
const HEIGHT = 40;
/** So that the line is not cut at the top. */
const MARGIN = 2;

/**
 * A line through the values, the last at the right edge, and the area below it. Seconds without a value
 * leave a gap.
 */
export function paths(
  values: readonly (number | undefined)[],
  top: number,
): { readonly line: string; readonly area: string } {
  const runs: { readonly x: number; readonly y: string }[][] = [];
  let isGap = true;
  values.forEach((value, index) => {
    if (value === undefined) {
      isGap = true;
      return;
    }
    if (isGap) {
      runs.push([]);
      isGap = false;
    }
    const x = WIDTH - (values.length - 1 - index);
    const y = HEIGHT - MARGIN - (Math.min(value, top) / top) * (HEIGHT - 2 * MARGIN);
    runs.at(-1)?.push({ x, y: y.toFixed(1) });
  });
  const lines = runs.map((run) => run.map(({ x, y }) => `${x},${y}`).join("L"));
  return {
    // A point alone is seen as a dot.
    line: lines.map((points) => (points.includes("L") ? `M${points}` : `M${points}h0.01`)).join(""),
    area: runs
      .map((run, index) => {
        const [first] = run;
        const last = run.at(-1);
        return `M${first?.x ?? 0},${HEIGHT}L${lines[index] ?? ""}L${last?.x ?? 0},${HEIGHT}Z`;
      })
      .join(""),
  };
}
