import { cpuUs } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import { UsageError, readOptions, toWholeNumber, wholeNumber } from "../bench-options.ts";
import { figureLines, figureTable, figuresOf } from "../figures.ts";
import type { Figure, Sample } from "../figures.ts";
import { interleavedRounds } from "../interleaved-rounds.ts";
import type { Resources } from "../resources.ts";
import { startContenders } from "./contenders.ts";
import type { Contender } from "./contenders.ts";
import { CASES, Pgbench } from "./pgbench.ts";
import type { CaseName, PgbenchLoad } from "./pgbench.ts";
import { findPrograms } from "./programs.ts";

const REFERENCE = "pgbouncer";
const DEFAULT_ROUNDS = 5;
const DEFAULT_SECONDS = 3;
const DEFAULT_CLIENTS: readonly number[] = [1, 8, 32, 128, 500];
/** Connections of PostgreSQL beside those of the clients. */
const SPARE_CONNECTIONS = 50;

/**
 * pgbench through PostgreSQL itself, through PgBouncer and through this pooler, in front of the same
 * PostgreSQL 17: transactions a second, CPU of the pooler a transaction, log-ins included, and
 * latencies. Rounds are interleaved, and every figure comes with its ratio to PgBouncer.
 *
 * `--cases`, `--clients` and `--seconds` choose what is measured and how long one run takes;
 * `--pgbouncer` or `MULTIPOOLER_PGBOUNCER` the PgBouncer.
 */
export async function pgwireBench(args: readonly string[], resources: Resources): Promise<string> {
  const own = ["cases", "clients", "seconds", "pgbouncer"];
  const { rounds, json, own: options } = readOptions(args, DEFAULT_ROUNDS, own);
  const seconds = wholeNumber(options, "seconds") ?? DEFAULT_SECONDS;
  const cases = casesOf(options.get("cases"));
  const clients = clientsOf(options.get("clients"));
  const programs = findPrograms({
    pgbouncer: options.get("pgbouncer") ?? process.env["MULTIPOOLER_PGBOUNCER"],
  });
  const maxClients = Math.max(...clients) + SPARE_CONNECTIONS;
  const postgres = await resources.open(() =>
    startPostgres({
      settings: { max_connections: String(maxClients), shared_buffers: "256MB" },
    }),
  );
  const pgbench = new Pgbench({ program: programs.pgbench });
  const { pgbouncer } = programs;
  const contenders = await startContenders(resources, postgres, { pgbouncer, maxClients });
  const figures: Figure[] = [];
  await pgbench.prepare(postgres);
  for (const name of cases) {
    for (const concurrency of clients) {
      const load = { case: name, clients: concurrency, seconds };
      const samples = await interleavedRounds(
        contenders,
        { rounds, warmUpRounds: 1 },
        (contender) => sampleOf(pgbench, contender, load),
      );
      const measured = { case: name, concurrency, samples };
      figures.push(...figuresOf({ bench: "pgwire", reference: REFERENCE, ...measured }));
    }
  }
  return json ? figureLines(figures) : figureTable("pgbench", figures, rounds);
}

async function sampleOf(
  pgbench: Pgbench,
  { address, pid }: Contender,
  load: PgbenchLoad,
): Promise<Sample> {
  const before = pid === undefined ? 0 : cpuUs(pid);
  const { transactions, tps, p50Us, p99Us } = await pgbench.run(address, load);
  const spentUs = pid === undefined ? undefined : (cpuUs(pid) - before) / transactions;
  return { tps, cpuUs: spentUs, p50Us, p99Us };
}

function casesOf(text: string | undefined): readonly CaseName[] {
  const names = text?.split(",") ?? Object.keys(CASES);
  return names.map((name) => {
    if (!isCase(name)) {
      throw new UsageError(`--cases: "${name}" is none of ${Object.keys(CASES).join(", ")}`);
    }
    return name;
  });
}

function clientsOf(text: string | undefined): readonly number[] {
  return text?.split(",").map((count) => toWholeNumber("clients", count)) ?? DEFAULT_CLIENTS;
}

function isCase(name: string): name is CaseName {
  return Object.hasOwn(CASES, name);
}
