import { join } from "node:path";
import { runProgram, startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { ctlTopo } from "./ctl-topo.ts";
import { probe } from "./probe.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { inFile } from "./topology-flags.ts";

const LIMIT_MS = 20_000;

/** A pooler with nothing configured but where PostgreSQL and the topology are. */
function start(
  postgres: TestPostgres,
  topology: string,
  flags: Record<string, string> = {},
): PoolerProcess {
  const where = { "pg-host": postgres.host, "pg-port": String(postgres.port) };
  return startPooler({ flags: { ...where, ...inFile(topology), ...flags } });
}

async function ready(pooler: PoolerProcess): Promise<void> {
  await pooler.ready(200, { signal: AbortSignal.timeout(LIMIT_MS) });
}

/** The error of a write; empty where it succeeded. */
async function write(pooler: PoolerProcess): Promise<string> {
  const sql = "create temp table written ()";
  const { stderr } = await runProgram(["ctl", "query", sql, "--address", await pooler.grpc()]);
  return stderr;
}

test("the default start takes writes as soon as it is ready, again and again, whatever is started again", async () => {
  await using directory = await temporaryDirectory();
  const topology = join(directory.path, "topology.db");
  await using postgres = await startPostgres();
  for (const restarts of [false, true]) {
    await using pooler = start(postgres, topology);
    await ready(pooler);
    expect(await write(pooler)).toBe("");
    await pooler.stop();
    if (restarts) {
      await postgres.stop();
      await postgres.start();
    }
  }
  await using last = start(postgres, topology);
  await ready(last);
  expect(await write(last)).toBe("");
  expect(await probe(last)).toMatchObject({ type: "PRIMARY", role: "PRIMARY" });
});

test("a type on the command line that the topology contradicts is told where an operator looks", async () => {
  await using directory = await temporaryDirectory();
  const topology = join(directory.path, "topology.db");
  await using postgres = await startPostgres();
  const id = { "service-id": "a" };
  {
    await using pooler = start(postgres, topology, { ...id, "initial-pooler-type": "replica" });
    await ready(pooler);
    await pooler.stop();
  }
  await using pooler = start(postgres, topology, { ...id, "initial-pooler-type": "primary" });
  await ready(pooler);
  expect(await probe(pooler)).toMatchObject({
    type: "REPLICA",
    topology: { ignoredType: "PRIMARY" },
  });
  const { stdout } = await runProgram(["ctl", "status", "--address", await pooler.grpc()]);
  expect(stdout).toMatch(/^type +REPLICA \(--initial-pooler-type primary is for a pooler that /m);
  const line = await pooler.logged(({ msg }) => msg.endsWith("not the initial type"));
  expect(line).toMatchObject({ level: 40, type: "REPLICA", initialType: "PRIMARY" });
});

test("PostgreSQL of another cluster is not served in the shard's name, and the pooler says so in one line", async () => {
  await using directory = await temporaryDirectory();
  const topology = join(directory.path, "topology.db");
  await using postgres = await startPostgres();
  await using other = await startPostgres();
  {
    await using pooler = start(postgres, topology);
    await ready(pooler);
    await pooler.stop();
  }
  await using pooler = start(other, topology, { "initial-pooler-type": "primary" });
  await expect
    .poll(() => probe(pooler), { timeout: LIMIT_MS })
    .toMatchObject({
      ready: false,
      code: "WRONG_CLUSTER",
      reason: expect.stringMatching(
        /^PostgreSQL at 127\.0\.0\.1:\d+ has system identifier \d+, and the shard \d+, so it is not served: .+ctl topo delete shard\/postgres\/default\/0-inf\)$/,
      ),
      serving: "NOT_SERVING",
    });
  expect(await write(pooler)).not.toBe("");

  // An operator's word lets the shard start over.
  const shard = "shard/postgres/default/0-inf";
  expect((await ctlTopo(inFile(topology), "get", shard)).stdout).toMatch(/^cluster\.timeline +1$/m);
  expect(await ctlTopo(inFile(topology), "delete", shard)).toEqual({
    code: 0,
    stdout: "deleted shard postgres/default/0-inf\n",
    stderr: "",
  });
  await ready(pooler);
  expect(await write(pooler)).toBe("");
});
