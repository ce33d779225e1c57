import { cpus } from "node:os";
import { setTimeout } from "node:timers/promises";
import { cpuUs, residentBytes, runProgram, startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { tableText } from "@multipooler/text-table";
import { readOptions, wholeNumber } from "./bench-options.ts";
import { median } from "./median.ts";
import type { Resources } from "./resources.ts";

const DEFAULT_ROUNDS = 5;
const DEFAULT_SECONDS = 10;
const READY_LIMIT_MS = 30_000;
/** What the start has left behind is collected and compiled by then. */
const SETTLE_MS = 3000;
const MIB = 1_048_576;

/** What is measured of a round, and the value that it is to stay below. */
const TARGETS = {
  startToReadyMs: 1500,
  residentMib: 100,
  cpuPercent: 1,
  ctlStatusMs: 300,
} as const;
type Metric = keyof typeof TARGETS;
type Round = Readonly<Record<Metric, number>>;

/**
 * What a pooler with nothing to do costs in front of a PostgreSQL that runs: from its start to `/ready`,
 * its memory, and its share of a core; and a whole `ctl status`. Medians, beside what they are to stay below.
 *
 * `--seconds` says for how long the idle pooler is watched.
 */
export async function idleBench(args: readonly string[], resources: Resources): Promise<string> {
  const { rounds, json, own } = readOptions(args, DEFAULT_ROUNDS, ["seconds"]);
  const seconds = wholeNumber(own, "seconds") ?? DEFAULT_SECONDS;
  const postgres = await resources.open(() => startPostgres());
  const measured: Round[] = [];
  while (measured.length < rounds) {
    measured.push(await measureRound(resources, postgres, seconds));
  }
  const figures = METRICS.map((metric) => ({
    bench: "idle",
    metric,
    value: median(measured.map((round) => round[metric])),
    target: TARGETS[metric],
  }));
  return json
    ? figures.map((figure) => `${JSON.stringify(figure)}\n`).join("")
    : tableOf(figures, rounds);
}

const METRICS: readonly Metric[] = ["startToReadyMs", "residentMib", "cpuPercent", "ctlStatusMs"];

async function measureRound(
  resources: Resources,
  postgres: TestPostgres,
  seconds: number,
): Promise<Round> {
  const { host, port } = postgres;
  const begun = performance.now();
  await using pooler = await resources.open(() =>
    startPooler({
      flags: {
        "pg-host": host,
        "pg-port": String(port),
        "initial-pooler-type": "primary",
        "pg-listen-port": "0",
      },
    }),
  );
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  const startToReadyMs = performance.now() - begun;
  await setTimeout(SETTLE_MS);
  const cpuPercent = await idleCpuPercent(pooler, seconds);
  const residentMib = residentBytes(pooler.pid) / MIB;
  return { startToReadyMs, residentMib, cpuPercent, ctlStatusMs: await ctlStatusMs(pooler) };
}

async function idleCpuPercent({ pid }: PoolerProcess, seconds: number): Promise<number> {
  const [before, since] = [cpuUs(pid), performance.now()];
  await setTimeout(seconds * 1000);
  return (cpuUs(pid) - before) / (performance.now() - since) / 10;
}

async function ctlStatusMs(pooler: PoolerProcess): Promise<number> {
  const args = ["ctl", "status", "--address", await pooler.grpc()];
  const since = performance.now();
  const { code, stderr } = await runProgram(args);
  if (code !== 0) {
    throw new Error(`ctl status failed: ${stderr}`);
  }
  return performance.now() - since;
}

function tableOf(
  figures: readonly { readonly metric: string; readonly value: number; readonly target: number }[],
  rounds: number,
): string {
  const rows = figures.map(({ metric, value, target }) => [
    metric,
    value.toFixed(value < 10 ? 2 : 0),
    String(target),
  ]);
  return [
    "a pooler with nothing to do",
    `Node ${process.version}, ${cpus().length} cores, medians of ${rounds} rounds`,
    "",
    tableText([["", "median", "below"], ...rows], { flushRight: [1, 2] }),
    "",
  ].join("\n");
}
