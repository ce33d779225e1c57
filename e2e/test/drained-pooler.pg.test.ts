import { join } from "node:path";
import { startPostgres } from "@multipooler/embedded-postgres";
import { connect } from "@multipooler/grpc-services/client";
import { ID_ComponentType, PoolerType, Topology } from "@multipooler/topo";
import { SqliteBackend } from "@multipooler/topo/sqlite";
import { expect, test } from "vitest";
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
