import { join } from "node:path";
import { connect } from "@multipooler/grpc-services/client";
import { runProgram, startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess, ProgramResult } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import { ID_ComponentType, PoolerType, Topology } from "@multipooler/topo";
import { SqliteBackend } from "@multipooler/topo/sqlite";
import { expect, test } from "vitest";
import { flagsFor } from "./flags.ts";
import { probe } from "./probe.ts";
import { READY_LIMIT_MS, servingPooler, valueOf } from "./serving-pooler.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { inFile } from "./topology-flags.ts";

/** Sets the type in the pooler's record, as an operator's tool does. */
async function setType(path: string, type: PoolerType): Promise<void> {
  const backend = new SqliteBackend();
  const topology = new Topology({ backend, serverAddresses: [path], root: "/multigres/global" });
  try {
    const id = { component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name: "e2e" };
    const { poolers } = topology.cell(id.cell);
    await poolers.update(id, (record) => ({ ...record, type }));
  } finally {
    await topology.close();
  }
}

test("a drained pooler lets its database be renamed, copied and dropped, and its server stop", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "topology.db");
  await using postgres = await startPostgres();
  await postgres.sql("create database d");
  await using pooler = await servingPooler(postgres, { ...inFile(path), database: "d" });
  using client = connect({ address: await pooler.grpc() });
  await Promise.all(Array.from({ length: 5 }, () => valueOf(client, "select pg_sleep(0.05)")));

  // oxlint-disable-next-line typescript/no-deprecated -- An older Multigres may have written it.
  await setType(path, PoolerType.DRAINED);
  const drained = { ready: false, serving: "DRAINED", reason: "the topology says DRAINED" };
  await expect.poll(() => probe(pooler), { timeout: READY_LIMIT_MS }).toMatchObject(drained);
  await postgres.sql("create database c template d");
  await postgres.sql("alter database d rename to e");
  await postgres.sql("drop database e");
  await postgres.sql("alter database c rename to d");
  expect(await probe(pooler)).toMatchObject(drained);

  await setType(path, PoolerType.PRIMARY);
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  expect(await valueOf(client, "select current_database()")).toBe("d");

  // oxlint-disable-next-line typescript/no-deprecated -- As above.
  await setType(path, PoolerType.DRAINED);
  await expect.poll(() => probe(pooler), { timeout: READY_LIMIT_MS }).toMatchObject(drained);
  const ended = postgres.ended;
  await postgres.stop("smart");
  expect(await ended).toEqual({ code: 0, signal: null });
});

/** Runs `ctl drain` or `ctl serve` on a pooler, and waits until it is there. */
async function ctl(pooler: PoolerProcess, ...args: readonly string[]): Promise<ProgramResult> {
  const address = await pooler.grpc();
  return await runProgram(["ctl", ...args, "--wait", "--timeout", "20s", "--address", address]);
}

test("ctl drain --wait lets go of the database, over a restart of the pooler, until ctl serve", async () => {
  await using directory = await temporaryDirectory();
  await using postgres = await startPostgres();
  await postgres.sql("create database d");
  const flags = {
    ...inFile(join(directory.path, "topology.db")),
    database: "d",
    "pooler-dir": join(directory.path, "pooler"),
  };
  const first = await servingPooler(postgres, flags);
  using client = connect({ address: await first.grpc() });
  await Promise.all(Array.from({ length: 5 }, () => valueOf(client, "select pg_sleep(0.05)")));
  const reason = "the database is renamed";
  expect(await ctl(first, "drain", "--reason", reason)).toEqual({
    code: 0,
    stdout: `DRAINED (drained by an operator: ${reason})\n`,
    stderr: "",
  });
  await postgres.sql("create database c template d");
  await postgres.sql("alter database d rename to e");
  await postgres.sql("drop database e");
  const drained = { ready: false, serving: "DRAINED", reason: `drained by an operator: ${reason}` };
  expect(await probe(first)).toMatchObject(drained);
  expect(await first.stop()).toEqual({ code: 0, signal: null });

  await using second = startPooler({ flags: { ...flagsFor(postgres), ...flags } });
  await expect.poll(() => probe(second), { timeout: READY_LIMIT_MS }).toMatchObject(drained);
  await postgres.sql("alter database c rename to d");
  expect((await ctl(second, "serve")).stdout).toMatch(/^SERVING /);
  await second.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  using again = connect({ address: await second.grpc() });
  expect(await valueOf(again, "select current_database()")).toBe("d");
  expect((await ctl(second, "serve", "--read-only")).stdout).toMatch(/^SERVING_RDONLY /);

  expect(await ctl(second, "drain")).toMatchObject({ code: 0 });
  const ended = postgres.ended;
  await postgres.stop("smart");
  expect(await ended).toEqual({ code: 0, signal: null });
});

test("ctl drain says that a restart forgets it, and the history is in ctl status --json", async () => {
  await using postgres = await startPostgres();
  await using pooler = await servingPooler(postgres);
  expect(await ctl(pooler, "drain", "--reason", "an upgrade")).toEqual({
    code: 0,
    stdout: "DRAINED (drained by an operator: an upgrade)\n",
    stderr:
      "multipooler: a restart of the pooler forgets it: the pooler has no directory of its own (--pooler-dir)\n",
  });
  const address = await pooler.grpc();
  const { stdout } = await runProgram(["ctl", "status", "--json", "--address", address]);
  expect(JSON.parse(stdout)).toMatchObject({
    intent: { status: "SERVING_STATUS_DRAINED", reason: "an upgrade" },
    transitions: [
      { toStatus: "SERVING_STATUS_SERVING", outcome: "TRANSITION_OUTCOME_REACHED" },
      {
        fromStatus: "SERVING_STATUS_SERVING",
        toStatus: "SERVING_STATUS_DRAINED",
        reason: "drained by an operator: an upgrade",
        outcome: "TRANSITION_OUTCOME_REACHED",
      },
    ],
    drains: { completed: "1" },
  });
  const tooLong = await ctl(pooler, "serve", "--reason", "x".repeat(1001));
  expect(tooLong).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      "reason: 1001 bytes; it must be one line of at most 1000 bytes",
    ),
  });
});
