import { PoolerErrorCode } from "@multipooler/query-service";
import { untilAborted } from "@multipooler/timing";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { FakePoolerError, FakeSession, notOpen } from "./fake-session.ts";
import {
  cancelRequest,
  GSSENC_REQUEST,
  message,
  packet,
  query,
  saslInitial,
  SSL_REQUEST,
  startup,
  V30,
  V32,
} from "./frontend.ts";
import { PATIENCE, TestServer } from "./test-server.ts";

const TRUST = { trustLoopback: true } as const;
const GREETING = ["R 0", "S server_version=17.6", "S application_name=", "K 4", "Z I"];

test("a password that fits opens a session, with the keys of the client", async () => {
  await using scene = await TestServer.start();
  const connection = await scene.logIn({ parameters: { application_name: "me", TimeZone: "UTC" } });
  const { caller } = scene.manager.session;
  expect(caller).toMatchObject({ user: "alice", database: "app" });
  expect(caller.keys?.clientKey).toHaveLength(32);
  expect(Object.fromEntries(caller.settings)).toEqual({ application_name: "me", TimeZone: "UTC" });
  expect(connection.parameters.get("application_name")).toBe("me");
  expect(scene.server.count).toEqual({ clients: 1, connections: 1, refused: 0 });
  await connection.close();
  expect(scene.manager.session.isEnded).toBe(true);
});

test.each([
  ["a wrong password", "alice", "wrong"],
  ["a role that does not exist", "nobody", "wrong"],
  ["a role without a password", "bare", "wrong"],
  ["a role that may not log in", "locked", "wrong"],
])("%s fails in the same way as any other", async (_case, user, password) => {
  await using scene = await TestServer.start();
  const { manager } = scene;
  manager.roles.set("bare", { scramVerifier: undefined, isReplicationRole: false });
  const known = manager.lookup;
  manager.lookup = async (name, options) => {
    if (name === "locked") {
      throw new FakePoolerError(PoolerErrorCode.AuthenticationFailed, "it may not log in");
    }
    return await known(name, options);
  };
  const credential = { type: "password", password } as const;
  const failure = scene.logIn({ user, credential: () => Promise.resolve(credential) });
  await expect(failure).rejects.toMatchObject({
    diagnostic: {
      severity: "FATAL",
      code: "28P01",
      message: `password authentication failed for user "${user}"`,
    },
  });
  expect(manager.sessions).toEqual([]);
});

test("a failed login waits for its answer", async () => {
  const clock = new ManualClock();
  await using scene = await TestServer.start({ failedLoginDelayMs: 1000, clock });
  let isTold = false;
  const credential = { type: "password", password: "wrong" } as const;
  const failed = scene
    .logIn({ credential: () => Promise.resolve(credential) })
    .catch(() => (isTold = true));
  await expect
    .poll(() => scene.log)
    .toContainEqual(["warn", "a client was refused", expect.anything()]);
  await clock.advance(999);
  expect(isTold).toBe(false);
  await clock.advance(1);
  await failed;
});

test("clients of loopback are trusted when that is asked for, if their role exists", async () => {
  await using scene = await TestServer.start(TRUST);
  await using client = await scene.connect();
  client.send(startup());
  expect(await client.answers()).toEqual(GREETING);
  expect(scene.manager.session.caller).toMatchObject({ user: "alice", database: "alice" });
  expect(scene.manager.session.caller.keys).toBeUndefined();
  await using other = await scene.connect();
  other.send(startup({ user: "nobody" }));
  expect(await other.answers()).toEqual(['FATAL 28000 role "nobody" does not exist']);
});

test.each([
  ["nothing", []],
  ["SSLRequest", [SSL_REQUEST]],
  ["GSSENCRequest", [GSSENC_REQUEST]],
  ["GSSENCRequest and SSLRequest", [GSSENC_REQUEST, SSL_REQUEST]],
  ["SSLRequest and GSSENCRequest", [SSL_REQUEST, GSSENC_REQUEST]],
])("a start-up after %s is served without encryption", async (_case, requests) => {
  await using scene = await TestServer.start(TRUST);
  await using client = await scene.connect();
  for (const request of requests) {
    client.send(request);
    expect(await client.byte()).toBe("N");
  }
  client.send(startup());
  expect(await client.answers()).toEqual(GREETING);
});

test("a start-up may come in the same segment as the requests before it, or byte by byte", async () => {
  await using scene = await TestServer.start(TRUST);
  const all = Buffer.concat([GSSENC_REQUEST, SSL_REQUEST, startup(), query("select 1")]);
  await using client = await scene.connect();
  client.send(all);
  expect((await client.take(2)).toString()).toBe("NN");
  expect(await client.answers()).toEqual(GREETING);
  await scene.manager.session.until(({ bytes }) => bytes.equals(query("select 1")));
  await using slow = await scene.connect();
  for (const byte of all) {
    slow.send(Uint8Array.of(byte));
  }
  expect((await slow.take(2)).toString()).toBe("NN");
  expect(await slow.answers()).toEqual(GREETING);
});

test.each([
  [V30, {}, []],
  [V32, {}, []],
  [0x0003_0001, {}, [[0x0003_0000]]],
  [0x0003_270f, { "_pq_.anything": "1" }, [[V32, "_pq_.anything"]]],
  [V30, { "_pq_.a": "", "_pq_.b": "" }, [[V30, "_pq_.a", "_pq_.b"]]],
])("version %i with %j is negotiated at most once", async (version, options, negotiated) => {
  await using scene = await TestServer.start(TRUST);
  await using client = await scene.connect();
  client.send(startup({ user: "alice", ...options }, version));
  const found: (number | string)[][] = [];
  let next = await client.message();
  while (next.type === "v") {
    const names = next.bytes.toString("latin1", 13).split("\0").slice(0, -1);
    expect(next.bytes.readInt32BE(9)).toBe(names.length);
    found.push([next.bytes.readInt32BE(5), ...names]);
    next = await client.message();
  }
  expect(found).toEqual(negotiated);
  expect(next.type).toBe("R");
  const answers = await client.answers();
  const keyBytes = version >= V32 ? 32 : 4;
  expect(answers.slice(-2)).toEqual([`K ${keyBytes}`, "Z I"]);
});

test.each([
  ["version 4", [packet(0x0004_0000, Buffer.from("user\0alice\0\0"))], "0A000"],
  ["no user", [startup({ database: "x" })], "28000"],
  ["a second request for TLS", [SSL_REQUEST, SSL_REQUEST], "0A000"],
  ["a second request for GSS", [GSSENC_REQUEST, GSSENC_REQUEST], "0A000"],
  ["a query before the login", [startup(), query("select 1")], "08P01"],
  ["an unknown mechanism", [startup(), saslInitial("n,,n=,r=abc", "PLAIN")], "08P01"],
  ["SCRAM that is none", [startup(), saslInitial("hello")], "08P01"],
  ["a password that is too long", [startup(), message("p", "a".repeat(8193))], "08P01"],
  ["another switch in options", [startup({ user: "alice", options: "-e" })], "42601"],
  ["bytes after the end", [packet(V30, Buffer.from("user\0alice\0\0x"))], "08P01"],
])("%s is refused in words", async (_case, packets, code) => {
  await using scene = await TestServer.start();
  await using client = await scene.connect();
  client.send(...packets);
  // What answers requests for encryption.
  await client.take(
    packets.filter((each) => each === SSL_REQUEST || each === GSSENC_REQUEST).length && 1,
  );
  const words = await client.answers();
  expect(words.at(-1)).toMatch(new RegExp(`^FATAL ${code} `));
  await client.end();
  expect(scene.manager.sessions).toEqual([]);
});

test.each([
  ["a client that leaves at once", message("X")],
  ["another protocol", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ["a start-up that is too long", startup({ user: "a".repeat(10_000) })],
  ["a cancel request without a key", cancelRequest(1, Buffer.alloc(0))],
  ["a cancel request without anything", packet(80_877_102)],
])("%s gets no answer", async (_case, bytes) => {
  await using scene = await TestServer.start();
  await using client = await scene.connect();
  client.send(bytes);
  expect(await client.end()).toBe("");
  expect(scene.manager.sessions).toEqual([]);
});

test("replication is left to the executor, which may refuse it", async () => {
  await using scene = await TestServer.start(TRUST);
  scene.manager.open = (caller) =>
    Promise.reject(
      new FakePoolerError(PoolerErrorCode.Unimplemented, [...caller.settings.keys()].join(",")),
    );
  await using client = await scene.connect();
  client.send(startup({ user: "alice", replication: "true" }));
  expect(await client.answers()).toEqual(["R 0", "FATAL 0A000 replication"]);
});

test.each([
  ["no executor", (scene: TestServer) => (scene.manager.refusal = notOpen()), "57P03"],
  [
    "no role that could be looked up",
    (scene: TestServer) =>
      (scene.manager.lookup = () =>
        Promise.reject(new FakePoolerError(PoolerErrorCode.PreExecutionUnavailable, "it is away"))),
    "57P03",
  ],
  [
    "a session that is refused",
    (scene: TestServer) =>
      (scene.manager.open = () =>
        Promise.reject(new FakePoolerError(PoolerErrorCode.PoolExhausted, "it is full"))),
    "53300",
  ],
  [
    "a fault",
    (scene: TestServer) => (scene.manager.open = () => Promise.reject(new TypeError("oh"))),
    "XX000 internal error of the pooler",
  ],
])("%s ends the login in words", async (_case, prepare, words) => {
  await using scene = await TestServer.start(TRUST);
  prepare(scene);
  await using client = await scene.connect();
  client.send(startup());
  expect((await client.answers()).at(-1)).toContain(`FATAL ${words}`);
  await client.end();
});

test("a controller without sessions is said so", async () => {
  await using scene = await TestServer.start({ ...TRUST, offers: "query" });
  await using client = await scene.connect();
  client.send(startup());
  expect(await client.answers()).toEqual([
    "FATAL 0A000 this pooler does not serve clients of PostgreSQL's protocol",
  ]);
});

test("a key cancels what its client runs, and a wrong one is not answered", async () => {
  await using scene = await TestServer.start(TRUST);
  await using client = await scene.connect();
  client.send(startup({ user: "alice" }, V32));
  let key = await client.message();
  while (key.type !== "K") {
    key = await client.message();
  }
  const processId = key.bytes.readInt32BE(5);
  const secretKey = key.bytes.subarray(9);
  const wrong = Buffer.from(secretKey);
  wrong[31] = (wrong[31] ?? 0) ^ 1;
  for (const request of [
    cancelRequest(processId, wrong),
    cancelRequest(processId, secretKey.subarray(0, 4)),
    cancelRequest(processId + 1, secretKey),
  ]) {
    await using other = await scene.connect();
    other.send(request);
    expect(await other.end()).toBe("");
  }
  expect(scene.manager.session.cancels).toBe(0);
  await using other = await scene.connect();
  other.send(SSL_REQUEST);
  expect(await other.byte()).toBe("N");
  other.send(cancelRequest(processId, secretKey));
  expect(await other.end()).toBe("");
  expect(scene.manager.session.cancels).toBe(1);
});

test("the executor knows a client by the process id of its key", async () => {
  await using scene = await TestServer.start(TRUST);
  const callers: (number | undefined)[] = [];
  scene.manager.open = (caller, client) => {
    callers.push(caller.virtualPid);
    return Promise.resolve(new FakeSession(caller, client));
  };
  await using client = await scene.connect();
  client.send(startup({ user: "alice" }));
  let key = await client.message();
  while (key.type !== "K") {
    key = await client.message();
  }
  expect(callers).toEqual([key.bytes.readInt32BE(5)]);
});

test("a login that takes too long is cut without a word", async () => {
  const clock = new ManualClock();
  await using scene = await TestServer.start({ loginTimeoutMs: 1000, clock });
  await using silent = await scene.connect();
  await using halfway = await scene.connect();
  halfway.send(startup());
  await halfway.message();
  await clock.advance(1000);
  expect(await silent.end()).toBe("");
  expect(await halfway.end()).toBe("");
  await expect.poll(() => scene.server.count.connections, PATIENCE).toBe(0);
});

test("a client that leaves while its session is opened takes nothing with it", async () => {
  await using scene = await TestServer.start(TRUST);
  const opening = Promise.withResolvers<AbortSignal | undefined>();
  scene.manager.open = async (_caller, _client, { signal }) => {
    opening.resolve(signal);
    return await untilAborted(Promise.withResolvers<FakeSession>().promise, signal);
  };
  await using client = await scene.connect();
  client.send(startup());
  const signal = await opening.promise;
  client.socket.resetAndDestroy();
  await expect.poll(() => signal?.aborted, PATIENCE).toBe(true);
  await expect
    .poll(() => scene.server.count, PATIENCE)
    .toEqual({ clients: 0, connections: 0, refused: 0 });
});
