import { startPostgres } from "@multipooler/embedded-postgres";
import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import pg from "pg";
import { readOptions } from "./bench-options.ts";
import { compare, repeat } from "./comparison.ts";
import type { Comparison, Contender, Workload } from "./comparison.ts";
import { figureLines, figureTable, figuresOf } from "./figures.ts";
import type { Figure, Sample } from "./figures.ts";

const SUBJECT = "StreamExecute";
const REFERENCE = "pg";
const DEFAULT_ROUNDS = 30;

const WORKLOADS: readonly Workload[] = [
  { name: "select 1", sql: "select 1", concurrency: 1, times: 200 },
  { name: "select 1", sql: "select 1", concurrency: 16, times: 1000 },
  {
    name: "10,000 rows",
    sql: "select g, md5(g::text) from generate_series(1, 10000) g",
    concurrency: 1,
    times: 10,
  },
];

/**
 * `StreamExecute` over gRPC against the same SQL through `pg` straight to PostgreSQL, which both
 * run on the same machine. Both sides read every row's bytes; `pg` makes arrays of text of them,
 * the gRPC client takes the blocks that a gateway passes through.
 */
export async function queryBench(args: readonly string[]): Promise<string> {
  const { rounds, json } = readOptions(args, DEFAULT_ROUNDS);
  const connections = Math.max(...WORKLOADS.map(({ concurrency }) => concurrency));
  await using postgres = await startPostgres();
  await using pooler = startPooler({
    flags: {
      "pg-host": postgres.host,
      "pg-port": String(postgres.port),
      "initial-pooler-type": "primary",
      "connpool-global-capacity": String(connections),
      "log-level": "info",
    },
  });
  await pooler.ready(200, { signal: AbortSignal.timeout(30_000) });
  using client = connect({ address: await pooler.grpc() });
  const { host, port, user } = postgres;
  const pool = new pg.Pool({ host, port, user, database: "postgres", max: connections });
  try {
    const figures: Figure[] = [];
    for (const work of WORKLOADS) {
      const rates = await compare(throughGrpc(client), throughPg(pool), { work, rounds });
      figures.push(...figuresOfRates(work, rates));
    }
    return json ? figureLines(figures) : figureTable("statements a second", figures, rounds);
  } finally {
    await pool.end();
  }
}

function figuresOfRates({ name, concurrency }: Workload, rates: Comparison): Figure[] {
  const samplesOf = (tps: readonly number[]): Sample[] => tps.map((rate) => ({ tps: rate }));
  return figuresOf({
    bench: "query",
    case: name,
    concurrency,
    reference: REFERENCE,
    samples: new Map([
      [REFERENCE, samplesOf(rates.reference)],
      [SUBJECT, samplesOf(rates.subject)],
    ]),
  });
}

function throughGrpc(client: PoolerClient): Contender {
  return {
    run: (work) =>
      repeat(work, async () => {
        const request = { query: work.sql, options: { passthroughRow: true } };
        for await (const response of client.streamExecute(request)) {
          void response;
        }
      }),
  };
}

function throughPg(pool: pg.Pool): Contender {
  return {
    run: (work) =>
      repeat(work, async () => {
        await pool.query({ text: work.sql, rowMode: "array" });
      }),
  };
}
