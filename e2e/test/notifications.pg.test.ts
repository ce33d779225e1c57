import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ListeningGateway } from "./listening-gateway.ts";
import { servingPooler } from "./serving-pooler.ts";

const LISTENER = "multipooler % listen";
/** How long something may take to show. */
const PATIENCE = { timeout: 20_000 } as const;

let postgres: TestPostgres;
let pooler: PoolerProcess;
let client: PoolerClient;

beforeAll(async () => {
  postgres = await startPostgres();
  pooler = await servingPooler(postgres, { "max-notification-bytes": "65536" });
  client = connect({ address: await pooler.grpc() });
});

afterAll(async () => {
  client?.close();
  await pooler?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

async function listeners(): Promise<number[]> {
  const rows = await postgres.sql(
    "select pid from pg_stat_activity where application_name like $1",
    { values: [LISTENER] },
  );
  return rows.map(({ pid }) => Number(pid));
}

test("a gateway listens for its clients, who get what others notify", async () => {
  const gateway = new ListeningGateway(client);
  await gateway.ask({ subscribeChannels: ["jobs", "Other Jobs"] });
  await client.executeQuery({ query: "notify jobs, 'one'" });
  await client.executeQuery({ query: `notify "Other Jobs"` });
  expect(await gateway.take(2)).toEqual(["jobs one", "Other Jobs "]);
  await gateway.ask({ unsubscribeChannels: ["jobs"] });
  await client.executeQuery({ query: "notify jobs, 'two'" });
  await client.executeQuery({ query: `notify "Other Jobs", 'three'` });
  expect(await gateway.take(1)).toEqual(["Other Jobs three"]);
  await gateway.ask({ unsubscribeAll: true });
  gateway.end();
  expect(await gateway.ended).toBe("OK");
});

test("a hundred clients share one connection, and nothing of a storm is lost or swapped", async () => {
  const gateways = Array.from({ length: 100 }, () => new ListeningGateway(client));
  await Promise.all(gateways.map((gateway) => gateway.ask({ subscribeChannels: ["storm"] })));
  expect(await listeners()).toHaveLength(1);
  const expected = Array.from({ length: 500 }, (_, n) => `storm ${n}`);
  for (let n = 0; n < 500; n += 50) {
    const query = `select pg_notify('storm', n::text) from generate_series(${n}, ${n + 49}) n`;
    await client.executeQuery({ query });
  }
  for (const gateway of gateways) {
    expect(await gateway.take(500)).toEqual(expected);
    gateway.cancel();
  }
  await Promise.all(
    gateways.map(async (gateway) => {
      expect(await gateway.ended).toBe("CANCELLED");
    }),
  );
});

test("a gateway's stream outlives the connection that listens, and PostgreSQL's restart", async () => {
  const gateway = new ListeningGateway(client);
  await gateway.ask({ subscribeChannels: ["a"] });
  const lost = await listeners();
  for (const pid of lost) {
    await postgres.sql("select pg_terminate_backend($1)", { values: [pid] });
  }
  await expect
    .poll(async () => (await listeners()).filter((pid) => !lost.includes(pid)), PATIENCE)
    .toHaveLength(1);
  // The channels are confirmed in the order of the requests: those of before come first.
  await gateway.ask({ subscribeChannels: ["b"] });
  await client.executeQuery({ query: "notify a, 'again'" });
  expect(await gateway.take(1)).toEqual(["a again"]);
  await postgres.stop("immediate");
  await postgres.start();
  await pooler.ready(200, { signal: AbortSignal.timeout(PATIENCE.timeout) });
  await gateway.ask({ subscribeChannels: ["c"] });
  await client.executeQuery({ query: "notify b, 'after the restart'" });
  expect(await gateway.take(1)).toEqual(["b after the restart"]);
  gateway.cancel();
});

test("a name that is none is refused in words", async () => {
  const gateway = new ListeningGateway(client);
  gateway.write({ subscribeChannels: [""] });
  expect(await gateway.ended).toMatch(/^INVALID_ARGUMENT a channel without a name/);
});

test("a client that does not read is cut off at the bound that is set", async () => {
  const requests = new PassThrough({ objectMode: true });
  requests.write({ subscribeChannels: ["load"] });
  const messages = client.notificationStream(requests)[Symbol.asyncIterator]();
  expect(await messages.next()).toMatchObject({ value: { ready: true } });
  const quick = new ListeningGateway(client);
  await quick.ask({ subscribeChannels: ["load"] });
  // What grpc and the sockets between keep comes on top of the bound.
  for (let n = 0; n < 400; n += 1) {
    const load = "select pg_notify('load', repeat('x', 7000) || n) from generate_series(1, 5) n";
    await client.executeQuery({ query: load });
    await quick.take(5);
  }
  const failure = await (async () => {
    for (;;) {
      const { done } = await messages.next();
      if (done === true) {
        return undefined;
      }
    }
  })().catch((error: unknown) => error);
  expect(failure).toMatchObject({
    code: "RESOURCE_EXHAUSTED",
    message: expect.stringMatching(/more than 65536 bytes .*maxNotificationBytes/),
    diagnostic: { code: "53400" },
  });
  quick.cancel();
});

test("streams end without an error when the pooler stops, and nothing is left", async () => {
  await using own = await servingPooler(postgres);
  using ownClient = connect({ address: await own.grpc() });
  const gateways = Array.from({ length: 5 }, () => new ListeningGateway(ownClient));
  await Promise.all(gateways.map((gateway) => gateway.ask({ subscribeChannels: ["a"] })));
  own.kill("SIGTERM");
  for (const gateway of gateways) {
    expect(await gateway.ended).toBe("OK");
  }
  await own.exited;
});
