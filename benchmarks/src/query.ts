import { parseArgs } from "node:util";
import { startPostgres } from "@multipooler/embedded-postgres";
import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { startPooler } from "@multipooler/pooler-process";
import pg from "pg";
import { compare, repeat } from "./comparison.ts";
import type { Contender, Workload } from "./comparison.ts";
import { report } from "./report.ts";

const WORKLOADS: readonly Workload[] = [
  { name: "select 1, one at a time", sql: "select 1", concurrency: 1, times: 200 },
  { name: "select 1, 16 at a time", sql: "select 1", concurrency: 16, times: 1000 },
  {
    name: "10,000 rows, one at a time",
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
  const { values } = parseArgs({
    args: [...args],
    options: { rounds: { type: "string", default: "30" } },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new RangeError(`--rounds: "${values.rounds}" is not a whole number from 1`);
  }
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
    const rows = [];
    for (const work of WORKLOADS) {
      const ratio = await compare(throughGrpc(client), throughPg(pool), work, rounds);
      rows.push({ name: work.name, ratio });
    }
    return report("StreamExecute over gRPC, times as fast as pg without a pooler", rows, rounds);
  } finally {
    await pool.end();
  }
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
