import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientProgram } from "./client-program.ts";
import { GatewayPooler } from "./gateway-pooler.ts";

const CLIENTS = 4;
const TRANSACTIONS = 20;

const pgbenchProgram = new ClientProgram("pgbench");
const isSkipped = pgbenchProgram.isMissing;

let pooler: GatewayPooler;

beforeAll(async () => {
  if (isSkipped) {
    return;
  }
  pooler = await GatewayPooler.start();
  const { host, port } = pooler.postgres;
  const directly = { ...pooler.address, host, port };
  await pgbenchProgram.run(directly, ["--initialize", "--quiet"]);
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
});

async function pgbench(...args: readonly string[]): Promise<string> {
  const load = [`--client=${CLIENTS}`, "--jobs=2", `--transactions=${TRANSACTIONS}`];
  const { stdout, stderr } = await pgbenchProgram.run(pooler.address, [
    "--no-vacuum",
    ...load,
    ...args,
  ]);
  return stdout + stderr;
}

const ALL_RAN = `number of transactions actually processed: ${CLIENTS * TRANSACTIONS}/${CLIENTS * TRANSACTIONS}`;

test.skipIf(isSkipped).each(["simple", "extended", "prepared"])(
  "pgbench reads in its %s mode",
  async (mode) => {
    const output = await pgbench("--select-only", `--protocol=${mode}`);
    expect(output).toContain(ALL_RAN);
    expect(output).toContain("number of failed transactions: 0 ");
  },
);

test.skipIf(isSkipped).each(["simple", "extended", "prepared"])(
  "pgbench runs TPC-B in its %s mode",
  async (mode) => {
    await pooler.postgres.sql("truncate pgbench_history");
    const output = await pgbench(`--protocol=${mode}`);
    expect(output).toContain(ALL_RAN);
    expect(output).toContain("number of failed transactions: 0 ");
    const [row] = await pooler.postgres.sql("select count(*)::int as n from pgbench_history");
    expect(row).toEqual({ n: CLIENTS * TRANSACTIONS });
    // Each transaction changes three balances by the same amount.
    const [sums] = await pooler.postgres.sql(`select
      (select sum(abalance) from pgbench_accounts) = (select sum(tbalance) from pgbench_tellers) as tellers,
      (select sum(abalance) from pgbench_accounts) = (select sum(bbalance) from pgbench_branches) as branches`);
    expect(sums).toEqual({ tellers: true, branches: true });
  },
);
