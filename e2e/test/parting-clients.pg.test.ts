import { extended, query, terminate, WireClient } from "@multipooler/conversations";
import { expect, test } from "vitest";
import { ClientPooler } from "./client-pooler.ts";

const LIMIT_MS = 20_000;

async function start(): Promise<ClientPooler> {
  const scene = await ClientPooler.start(
    { "pg-trust-loopback": "on" },
    { server: { auth: "trust" } },
  );
  await scene.postgres.sql("create table marks (a int)");
  return scene;
}

/** Sends everything at once, and closes the connection without reading the answer. */
async function sendAndClose({ address }: ClientPooler, messages: readonly Buffer[]): Promise<void> {
  const { port, user, database } = address;
  await using client = await WireClient.connect(port, { user, database });
  await client.transcript.login(AbortSignal.timeout(LIMIT_MS));
  await client.send([Buffer.concat(messages)]);
}

const marks = async ({ postgres }: ClientPooler): Promise<unknown[]> =>
  (await postgres.sql("select a from marks order by a")).map(({ a }) => a);

test("what a client sends before it takes its leave runs to its end", async () => {
  await using scene = await start();
  const sleeping = (mark: number): string => `insert into marks select ${mark} from pg_sleep(1)`;
  await sendAndClose(scene, [query(sleeping(1)), terminate]);
  await sendAndClose(scene, [extended(sleeping(2)), extended(sleeping(3)), terminate]);
  await expect.poll(() => marks(scene), { timeout: LIMIT_MS }).toEqual([1, 2, 3]);
  await expect.poll(() => scene.clients(), { timeout: LIMIT_MS }).toMatchObject({ clients: 0 });
});

test("a transaction that a client leaves open is rolled back, also behind its leave", async () => {
  await using scene = await start();
  await sendAndClose(scene, [query("begin"), query("insert into marks values (1)"), terminate]);
  await expect.poll(() => scene.clients(), { timeout: LIMIT_MS }).toMatchObject({ clients: 0 });
  expect(await marks(scene)).toEqual([]);
});

test("what a client runs that vanishes without a word is ended", async () => {
  await using scene = await start();
  await sendAndClose(scene, [query("insert into marks select 1 from pg_sleep(600)")]);
  await expect.poll(() => scene.clients(), { timeout: LIMIT_MS }).toMatchObject({ clients: 0 });
  expect(await marks(scene)).toEqual([]);
});
