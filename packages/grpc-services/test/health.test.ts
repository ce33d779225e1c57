import { expect, test } from "vitest";
import { connect } from "../src/client/index.ts";
import { GrpcServer } from "../src/server/grpc-server.ts";
import { FakeManager } from "./fake-manager.ts";
import { HealthClient } from "./health-client.ts";
import { RawClient } from "./raw-call.ts";
import { startServer } from "./test-server.ts";

const QUERY = "multipoolerservice.MultipoolerService";
const MANAGER = "multipooler.v1.MultiPoolerManager";
const CONSENSUS = "multipooler.v1.MultiPoolerConsensus";

test("health follows the readiness of the pooler, except for the manager's own service", async () => {
  await using pooler = await startServer();
  const serving = async (): Promise<boolean[]> =>
    await Promise.all(["", QUERY, MANAGER].map((service) => pooler.client.isServing(service)));
  expect(await serving()).toEqual([true, true, true]);
  pooler.manager.change({ ready: false });
  expect(await serving()).toEqual([false, false, true]);
  pooler.manager.change({ ready: true });
  expect(await serving()).toEqual([true, true, true]);
});

test("a service that is not here is NOT_FOUND", async () => {
  await using pooler = await startServer();
  await expect(pooler.client.isServing("no.Such")).rejects.toMatchObject({
    code: "NOT_FOUND",
    message: 'there is no service "no.Such"',
  });
});

test("the list of services tells the health of each", async () => {
  await using pooler = await startServer();
  pooler.manager.change({ ready: false });
  using health = new HealthClient(pooler.address);
  expect(await health.list()).toEqual({
    statuses: {
      "": { status: "NOT_SERVING" },
      [QUERY]: { status: "NOT_SERVING" },
      [MANAGER]: { status: "SERVING" },
      [CONSENSUS]: { status: "SERVING" },
    },
  });
});

test("who watches is told the health now and each change of it once, until he leaves", async () => {
  await using pooler = await startServer();
  using health = new HealthClient(pooler.address);
  const watch = health.watch(QUERY)[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => (await watch.next()).value;
  expect(await next()).toBe("SERVING");
  pooler.manager.change({ type: "REPLICA" });
  pooler.manager.change({ ready: false });
  expect(await next()).toBe("NOT_SERVING");
  pooler.manager.change({ ready: true });
  expect(await next()).toBe("SERVING");
  expect(pooler.manager.watchers).toBe(1);
  await watch.return?.();
  await expect.poll(() => pooler.manager.watchers).toBe(0);
});

test("who watches a service that is not here is told so and not sent away", async () => {
  await using pooler = await startServer();
  using health = new HealthClient(pooler.address);
  const watch = health.watch("no.Such")[Symbol.asyncIterator]();
  expect((await watch.next()).value).toBe("SERVICE_UNKNOWN");
  pooler.manager.change({ ready: false });
  expect(pooler.manager.watchers).toBe(1);
  await watch.return?.();
});

test("closing tells those who watch, ends their streams and does not wait for them", async () => {
  await using pooler = await startServer();
  using health = new HealthClient(pooler.address);
  const watches = ["", MANAGER].map((service) => health.watch(service)[Symbol.asyncIterator]());
  for (const watch of watches) {
    expect((await watch.next()).value).toBe("SERVING");
  }
  const closing = pooler.server.close();
  for (const watch of watches) {
    expect((await watch.next()).value).toBe("NOT_SERVING");
    expect(await watch.next()).toEqual({ done: true, value: undefined });
  }
  await closing;
  expect(pooler.manager.watchers).toBe(0);
});

test("a service that is withheld is not there although it is offered", async () => {
  await using pooler = await startServer({ withheld: new Set(["query"]) });
  await expect(pooler.client.executeQuery({})).rejects.toMatchObject({ code: "UNIMPLEMENTED" });
  await expect(pooler.client.isServing(QUERY)).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect((await pooler.client.status()).ready).toBe(true);
});

test.each([
  ["health is offered", ["health"], true],
  ["nothing is offered", [], false],
] as const)("only what was offered is there: %s", async (_, services, hasHealth) => {
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  await using server = new GrpcServer({
    manager: new FakeManager(),
    host: "127.0.0.1",
    port: 0,
    version: "1",
    logger,
  });
  for (const service of services) {
    server.offer(service);
  }
  await server.listen();
  const address = `127.0.0.1:${server.port}`;
  using client = connect({ address });
  if (hasHealth) {
    expect(await client.isServing("")).toBe(true);
    await expect(client.isServing(QUERY)).rejects.toMatchObject({ code: "NOT_FOUND" });
  } else {
    await expect(client.isServing("")).rejects.toMatchObject({ code: "UNIMPLEMENTED" });
  }
  await expect(client.status()).rejects.toMatchObject({ code: "UNIMPLEMENTED" });
  using raw = new RawClient(address);
  const { status } = await raw.call(`/${QUERY}/ExecuteQuery`, new Uint8Array());
  expect(status.code).toBe(12);
});
