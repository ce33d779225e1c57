import { encodeReadyForQuery } from "@multipooler/pgwire";
import { decodeFields } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import type { ConsoleOptions } from "../src/console/console-options.ts";
import type { PgwireServerOptions } from "../src/server/pgwire-server-options.ts";
import { FakePoolerError } from "./fake-session.ts";
import { PASSWORD } from "./fake-manager.ts";
import { FakePooler } from "./fake-pooler.ts";
import { message, query, startup } from "./frontend.ts";
import type { RawClient, ServerMessage } from "./raw-client.ts";
import { PATIENCE, TestServer } from "./test-server.ts";

interface Scene extends AsyncDisposable {
  readonly server: TestServer;
  readonly pooler: FakePooler;
  readonly connect: (user?: string) => Promise<RawClient>;
}

async function setUp(
  options: Omit<Partial<PgwireServerOptions>, "console"> & {
    readonly console?: Partial<ConsoleOptions>;
  } = {},
): Promise<Scene> {
  const pooler = new FakePooler();
  const server = await TestServer.start({
    trustLoopback: true,
    ...options,
    console: {
      database: "multipooler",
      admins: ["root"],
      viewers: ["watcher"],
      pooler,
      version: "Multipooler 1.2.3",
      settings: () => [{ name: "a-setting", value: undefined, default: "7", isChangeable: true }],
      reload: () => Promise.resolve(),
      ...options.console,
    },
  });
  return {
    server,
    pooler,
    connect: async (user = "root") => await server.client({ user, database: "multipooler" }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const int16 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) {
    bytes.writeInt16BE(value, 2 * index);
  }
  return bytes;
};
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

const parse = (sql: string, name = ""): Buffer =>
  message("P", Buffer.concat([Buffer.from(`${name}\0${sql}\0`), int16(0)]));
const bind = ({ name = "", portal = "", formats = [] as number[], parameters = 0 } = {}): Buffer =>
  message(
    "B",
    Buffer.concat([
      Buffer.from(`${portal}\0${name}\0`),
      int16(0, parameters),
      ...Array.from({ length: parameters }, () => int32(-1)),
      int16(formats.length, ...formats),
    ]),
  );
const describe = (kind: "S" | "P", name = ""): Buffer => message("D", `${kind}${name}\0`);
const execute = (maxRows = 0, portal = ""): Buffer =>
  message("E", Buffer.concat([Buffer.from(`${portal}\0`), int32(maxRows)]));
const SYNC = message("S");

/** The messages up to ReadyForQuery. */
async function untilReady(client: RawClient): Promise<ServerMessage[]> {
  const messages: ServerMessage[] = [];
  for (;;) {
    const next = await client.message();
    messages.push(next);
    if (next.type === "Z") {
      return messages;
    }
  }
}

const typesOf = (messages: readonly ServerMessage[]): string =>
  messages.map(({ type }) => type).join("");

test("a statement is described before it runs, and its rows come in portions", async () => {
  await using scene = await setUp();
  await using client = await scene.connect();
  client.send(parse("show help", "h"), describe("S", "h"), SYNC);
  expect(typesOf(await untilReady(client))).toBe("1tTZ");
  client.send(bind({ name: "h" }), describe("P"), execute(2), execute(2), execute(), SYNC);
  expect(typesOf(await untilReady(client))).toMatch(/^2TDDsDDsD+CZ$/);
  client.send(parse("pause"), describe("S"), SYNC);
  expect(typesOf(await untilReady(client))).toBe("1tnZ");
});

test("after an error nothing is answered before the next Sync", async () => {
  await using scene = await setUp();
  await using client = await scene.connect();
  client.send(parse("nonsense"), bind(), execute(), SYNC, query("show version"));
  expect(typesOf(await untilReady(client))).toBe("EZ");
  expect(typesOf(await untilReady(client))).toBe("TDCZ");
  client.send(parse("show version"), bind({ parameters: 1 }), SYNC);
  expect(typesOf(await untilReady(client))).toBe("1EZ");
  client.send(bind({ name: "unknown" }), SYNC, execute(0, "unknown"), SYNC);
  expect(typesOf(await untilReady(client))).toBe("EZ");
  expect(typesOf(await untilReady(client))).toBe("EZ");
});

test("numbers are sent in binary to those who ask for it", async () => {
  await using scene = await setUp();
  scene.pooler.totals = { ...scene.pooler.totals, requests: 1_234_567_890, grants: 10_000 };
  await using client = await scene.connect();
  client.send(parse("show stats_totals"), bind({ formats: [1] }), describe("P"), execute(), SYNC);
  const messages = await untilReady(client);
  const columns = decodeFields(messages[2]?.bytes ?? Buffer.alloc(0));
  expect(columns.every(({ format }) => format === 1)).toBe(true);
  const row = messages[3]?.bytes ?? Buffer.alloc(0);
  // 12 3456 7890 with the weight 2, and 1 with the weight 1.
  expect(row.includes(int16(3, 2, 0, 0, 12, 3456, 7890))).toBe(true);
  expect(row.includes(int16(1, 1, 0, 0, 1))).toBe(true);
});

test("SHOW POOLS puts clients and connections together", async () => {
  await using scene = await setUp();
  await using client = await scene.connect();
  client.send(query("show pools"));
  const [fields, first] = await untilReady(client);
  const names = decodeFields(fields?.bytes ?? Buffer.alloc(0)).map(({ name }) => name);
  expect(names).toContain("cl_waiting_cancel_req");
  const values = first?.bytes
    .toString("latin1", 7)
    .replaceAll(/\0\0\0[\0-\x20]/g, " ")
    .trim();
  expect(values).toBe("app alice 0 0 0 0 1 0 0 0 0 0 1 1 500250 transaction");
});

test.each([
  ["pause", "pause undefined"],
  ['PAUSE "App"', "pause App"],
  ["Resume APP;", "resume app"],
  ["reconnect 'app'", "reconnect app"],
  ["kill app", "kill app"],
  ["disable app", "disable app"],
  ["enable app -- again", "enable app"],
])("%s", async (sql, told) => {
  await using scene = await setUp();
  await using client = await scene.connect();
  client.send(query(sql));
  if (told.startsWith("pause")) {
    await expect.poll(() => scene.pooler.pausing, PATIENCE).toBeDefined();
    scene.pooler.pausing?.resolve();
  }
  expect(typesOf(await untilReady(client))).toBe("CZ");
  expect(scene.pooler.told).toEqual([told]);
});

test("a command that waits can be cancelled, and ends when its client leaves or the server stops", async () => {
  await using scene = await setUp();
  const client = await scene.server.connect();
  client.send(startup({ user: "root", database: "multipooler" }));
  const greeting = await untilReady(client);
  const key = greeting.find(({ type }) => type === "K")?.bytes ?? Buffer.alloc(0);
  client.send(query("pause app"), query("show version"));
  await expect.poll(() => scene.pooler.pausing, PATIENCE).toBeDefined();
  const canceller = await scene.server.connect();
  canceller.send(cancelPacket(key));
  await canceller.end();
  expect((await client.answers()).at(-1)).toContain("ERROR 57014");
  expect((await client.message()).bytes).toEqual(encodeReadyForQuery("I"));
  expect(typesOf(await untilReady(client))).toBe("TDCZ");
  client.send(query("pause app"));
  await expect.poll(() => scene.pooler.told, PATIENCE).toHaveLength(2);
  const closing = scene.server.server.close();
  expect((await client.answers()).at(-1)).toContain("57P01");
  client.socket.end();
  await closing;
});

function cancelPacket(key: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(16, 0);
  head.writeUInt32BE(80_877_102, 4);
  return Buffer.concat([head, key.subarray(5, 13)]);
}

test("roles without a right are refused, and viewers only SHOW", async () => {
  await using scene = await setUp();
  await using watcher = await scene.connect("watcher");
  watcher.send(query("show state"), query("pause"));
  expect(typesOf(await untilReady(watcher))).toBe("TDDDCZ");
  expect((await watcher.answers()).at(-1)).toContain("ERROR 42501");
  await using stranger = await scene.server.connect();
  stranger.send(startup({ user: "alice", database: "multipooler" }));
  expect((await stranger.answers()).at(-1)).toBe(
    'FATAL 42501 permission denied for database "multipooler"',
  );
  expect(scene.pooler.told).toEqual([]);
});

test("an error of the pooler keeps its words", async () => {
  await using scene = await setUp();
  scene.pooler.resume = () => {
    throw new FakePoolerError("WRONG_TARGET", "no", {
      kind: "error",
      severity: "ERROR",
      code: "3D000",
      message: 'database "x" does not exist',
    });
  };
  await using client = await scene.connect();
  client.send(query("resume x"));
  expect(await client.answers()).toEqual(['ERROR 3D000 database "x" does not exist']);
});

test("a reload that fails tells why", async () => {
  await using scene = await setUp({
    console: { reload: () => Promise.reject(new Error("the key is gone")) },
  });
  await using client = await scene.connect();
  client.send(query("reload"));
  expect(await client.answers()).toEqual(["ERROR XX000 the key is gone"]);
});

test("drivers may begin transactions and set parameters; nothing comes of it", async () => {
  await using scene = await setUp();
  await using client = await scene.connect();
  client.send(query("begin; set a = 'b'; show version"));
  const messages = await untilReady(client);
  expect(typesOf(messages)).toBe("CCTDCZ");
  expect(messages.at(-1)?.bytes).toEqual(encodeReadyForQuery("T"));
  client.send(query("rollback"), query(""));
  expect((await untilReady(client)).at(-1)?.bytes).toEqual(encodeReadyForQuery("I"));
  expect(typesOf(await untilReady(client))).toBe("IZ");
});

test.each([
  ["a function call", message("F", "x")],
  ["a length that cannot be", Buffer.from("Q\0\0\0\x01")],
  ["a text without end", message("Q", "show pools")],
  ["a Bind that promises too much", message("B", Buffer.concat([Buffer.from("\0\0"), int16(9)]))],
])("%s ends the session in words", async (_, bytes) => {
  await using scene = await setUp();
  await using client = await scene.connect();
  client.send(bytes, SYNC);
  const answers = await client.answers();
  expect(answers.at(-1)).toMatch(/^(FATAL|ERROR) 08P01/);
});

test("a client that sends much ahead is not read further, and loses nothing", async () => {
  await using scene = await setUp();
  await using client = await scene.connect();
  client.send(query("pause"));
  await expect.poll(() => scene.pooler.pausing, PATIENCE).toBeDefined();
  const count = 2000;
  client.send(...Array.from({ length: count }, () => query(`show version /*${"x".repeat(100)}*/`)));
  scene.pooler.pausing?.resolve();
  expect(typesOf(await untilReady(client))).toBe("CZ");
  for (let answered = 0; answered < count; answered += 1) {
    expect(typesOf(await untilReady(client))).toBe("TDCZ");
  }
});

test("the averages are those of the last minute", async () => {
  const clock = new ManualClock();
  await using scene = await setUp({ clock });
  await using client = await scene.connect();
  const averages = async (): Promise<string> => {
    client.send(query("show stats_averages"));
    const row = (await untilReady(client))[1]?.bytes ?? Buffer.alloc(0);
    return row
      .toString("latin1", 7)
      .replaceAll(/\0\0\0[\0-\x20]/g, " ")
      .trim();
  };
  expect(await averages()).toBe("app 0 0 0 0 0 0 0 0 0 0 0 0");
  scene.pooler.totals = {
    ...scene.pooler.totals,
    transactions: 600,
    requests: 1200,
    busyMs: 2400,
    grants: 600,
    waitMs: 60,
    clientParses: 180,
    serverParses: 120,
    binds: 300,
  };
  await clock.advance(60_000);
  expect(await averages()).toBe("app 10 10 20 0 0 0 2000 100 3 2 5 0");
  await clock.advance(60_000);
  expect(await averages()).toBe("app 0 0 0 0 0 0 0 0 0 0 0 0");
});

test("users of the console get in with their last password while the server is away", async () => {
  await using scene = await setUp({ trustLoopback: false, console: { admins: ["alice"] } });
  const { manager } = scene.server;
  const log = async (password: string = PASSWORD): Promise<void> => {
    const session = await scene.server.logIn({
      database: "multipooler",
      credential: () => Promise.resolve({ type: "password", password }),
    });
    await session.close();
  };
  await log();
  manager.refusal = new FakePoolerError("NOT_OPEN", "the controller is not open");
  await log();
  await expect(log("wrong")).rejects.toMatchObject({ diagnostic: { code: "28P01" } });
  manager.refusal = undefined;
  manager.roles.delete("alice");
  await expect(log()).rejects.toMatchObject({ diagnostic: { code: "28P01" } });
  manager.refusal = new FakePoolerError("NOT_OPEN", "the controller is not open");
  await expect(log()).rejects.toMatchObject({ diagnostic: { code: "57P03" } });
});

test("a user or a database has no more clients than it may; a place is free again at the end", async () => {
  await using server = await TestServer.start({
    trustLoopback: true,
    maxClientsPerUser: 2,
    maxClientsPerDatabase: 3,
  });
  for (const user of ["alice", "bob"]) {
    server.manager.roles.set(user, { scramVerifier: undefined, isReplicationRole: false });
  }
  const refusalOf = async (user: string, database: string): Promise<string | undefined> => {
    await using client = await server.connect();
    client.send(startup({ user, database }));
    return (await client.answers()).at(-1);
  };
  const first = await server.client({ user: "alice", database: "app" });
  await using _second = await server.client({ user: "alice", database: "app" });
  expect(await refusalOf("alice", "other")).toBe(
    'FATAL 53300 too many connections for role "alice"',
  );
  await using _third = await server.client({ user: "bob", database: "app" });
  expect(await refusalOf("bob", "app")).toBe('FATAL 53300 too many connections for database "app"');
  await first[Symbol.asyncDispose]();
  await expect.poll(() => server.server.count.clients, PATIENCE).toBe(2);
  await using _again = await server.client({ user: "alice", database: "other" });
});
