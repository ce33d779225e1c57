import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { MultiPoolerError } from "../src/error.ts";
import {
  bind,
  close,
  describe,
  execute,
  extended,
  flush,
  parse,
  query,
  sync,
} from "@multipooler/conversations";
import type { TestClient } from "./session-client.ts";
import { useSessionStage } from "./session-stage.ts";
import { said } from "./session-client.ts";

const stage = useSessionStage({ capacity: 3 });
const { scene } = stage;

/** Sends notifications in a session that is not the pooler's. */
async function notify(channel: string, ...payloads: readonly string[]): Promise<void> {
  for (const payload of payloads) {
    await stage.postgres.sql("select pg_notify($1, $2)", {
      values: [channel, payload],
      database: stage.database.name,
    });
  }
}

async function untilNotified(client: TestClient, count: number): Promise<readonly string[]> {
  const told = (): string[] => client.messages.filter((words) => words.startsWith("A "));
  await client.until(() => told().length >= count || client.isEnded);
  return told();
}

test.each([
  ["a query", query("listen jobs"), "C LISTEN, Z I"],
  ["an unnamed statement", extended("listen jobs"), "1, 2, C LISTEN, Z I"],
  [
    "all messages of the extended protocol",
    Buffer.concat([
      parse("LISTEN jobs", "s"),
      describe("S", "s"),
      bind([], { statement: "s", portal: "" }),
      describe("P"),
      execute(),
      close("S", "s"),
      sync,
    ]),
    "1, t, n, 2, n, C LISTEN, 3, Z I",
  ],
])("LISTEN in %s is answered as by PostgreSQL, and holds no backend", async (_, bytes, answer) => {
  await using pooler = await scene();
  const [one, two] = [await pooler.connect(), await pooler.connect()];
  expect(await one.ask(bytes)).toEqual(said(answer));
  expect(one.session.describe()).toEqual({ type: "idle" });
  expect(pooler.gate.counts).toEqual({ single: 0, reserved: 0 });
  await two.ask(query("notify jobs, 'first'"));
  await notify("jobs", "second");
  expect(await untilNotified(one, 2)).toEqual(["A jobs first", "A jobs second"]);
  expect(await one.ask(query("select 1"))).toContain("D 1");
  expect(two.messages.some((words) => words.startsWith("A"))).toBe(false);
});

test.each([
  ["at once", [Buffer.concat([bind([], { statement: "s" }), execute(), sync])]],
  ["with its Sync apart", [Buffer.concat([bind([], { statement: "s" }), execute()]), sync]],
])(
  "LISTEN that was prepared up to a Flush is the client's own, and holds no backend: %s",
  async (_, messages) => {
    await using pooler = await scene({ capacity: 2 });
    const [one, two] = [await pooler.connect(), await pooler.connect()];
    for (const channel of ["jobs", "more"]) {
      one.send(parse(`LISTEN "${channel}"`, "s"), describe("S", "s"), flush);
      expect(await one.upTo("n")).toEqual(said("1, t, n"));
      for (const piece of messages) {
        one.send(piece);
      }
      expect(await one.answers()).toEqual(said("2, C LISTEN, Z I"));
      await one.ask([close("S", "s"), sync]);
      expect(one.session.describe()).toEqual({ type: "idle" });
    }
    await two.ask(query("notify jobs, 'first'; notify more, 'second'"));
    expect(await untilNotified(one, 2)).toEqual(["A jobs first", "A more second"]);
    expect(two.messages.some((words) => words.startsWith("A"))).toBe(false);
    one.send(parse("UNLISTEN jobs", "s"), describe("S", "s"), flush);
    await one.upTo("n");
    for (const piece of messages) {
      one.send(piece);
    }
    expect(await one.answers()).toEqual(said("2, C UNLISTEN, Z I"));
    await notify("jobs", "third");
    await notify("more", "fourth");
    expect((await untilNotified(one, 3)).at(-1)).toBe("A more fourth");
    expect(one.session.describe()).toEqual({ type: "idle" });
  },
);

test("LISTEN whose answer a Flush asks for keeps its backend", async () => {
  await using pooler = await scene({ capacity: 2 });
  const [one, two] = [await pooler.connect(), await pooler.connect()];
  one.send(parse("LISTEN jobs"), describe("S"), flush);
  await one.upTo("n");
  one.send(bind(), execute(), flush);
  expect(await one.upTo("C LISTEN")).toEqual(said("2, C LISTEN"));
  expect(await one.ask(sync)).toEqual(["Z I"]);
  expect(one.session.describe()).toMatchObject({ type: "pinned" });
  await two.ask(query("notify jobs, 'first'"));
  expect(await untilNotified(one, 1)).toEqual(["A jobs first"]);
});

test("what a driver's pool sends to reset a session ends its channels and holds no backend", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  const reset = "SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;";
  const tags = ["C CLOSE CURSOR ALL", "C UNLISTEN", "C RESET", "Z I"];
  for (const text of [reset, `${reset} DISCARD SEQUENCES; DISCARD TEMP; DISCARD PLANS`]) {
    await client.ask(query("listen a"));
    expect(await client.ask(query(text))).toEqual(expect.arrayContaining(tags));
    expect(client.session.describe()).toEqual({ type: "idle" });
    await notify("a", "after");
    await client.ask(query("listen b"));
    await notify("b", "seen");
    await untilNotified(client, 1);
    expect(client.messages).not.toContain("A a after");
  }
  await client.ask(query("listen a"));
  expect(await client.ask(query("unlisten *; select 1/0"))).toContain("E 22012");
  await notify("a", "still");
  await client.until(() => client.messages.includes("A a still"));
});

test("more clients listen than there are backends, and each gets its own", async () => {
  await using pooler = await scene({ capacity: 2 });
  const clients: TestClient[] = [];
  for (let index = 0; index < 20; index += 1) {
    const client = await pooler.connect();
    expect(await client.ask(query(`listen all_; `))).toEqual(said("C LISTEN, Z I"));
    expect(await client.ask(query(`listen "Own ${index}"`))).toEqual(said("C LISTEN, Z I"));
    clients.push(client);
  }
  await notify("Own 7", "yours");
  await notify("all_", "everybody's");
  for (const [index, client] of clients.entries()) {
    const own = index === 7 ? ["A Own 7 yours"] : [];
    const expected = [...own, "A all_ everybody's"];
    expect(await untilNotified(client, expected.length)).toEqual(expected);
  }
});

test("a name without quotes is folded, one with quotes is not, as PostgreSQL does", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  for (const name of ["Folded", '"Kept ""it"""', "ÄÖ"]) {
    await client.ask(query(`LISTEN ${name}`));
    const sent = `notify ${name}, '1'`;
    await stage.postgres.sql(sent, { database: stage.database.name });
  }
  expect(await untilNotified(client, 3)).toEqual([
    "A folded 1",
    'A Kept "it" 1',
    expect.stringMatching(/^A [Ää][Öö] 1$/),
  ]);
});

test("a client that leaves a channel gets what was sent before, and nothing after", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  for (const [leave, tag] of [
    ["unlisten a", "UNLISTEN"],
    ["unlisten *", "UNLISTEN"],
  ] as const) {
    await client.ask(query("listen a"));
    await client.ask(query("listen b"));
    await notify("a", "before");
    const answer = await client.ask(query(leave));
    // Ahead of ReadyForQuery, or before the answer.
    const told = client.messages.filter((words) => words === "A a before");
    expect(told).toHaveLength(leave === "unlisten a" ? 1 : 2);
    expect(answer.filter((words) => !words.startsWith("A"))).toEqual(said(`C ${tag}, Z I`));
    await notify("a", "after");
    await client.ask(query("listen fence"));
    expect(client.messages).not.toContain("A a after");
  }
});

test("DISCARD ALL leaves all channels", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask(query("listen a"));
  expect(await client.ask(query("discard all"))).toEqual(said("C DISCARD ALL, Z I"));
  await notify("a", "after");
  await client.ask(query("listen b"));
  await notify("b", "seen");
  expect(await untilNotified(client, 1)).toEqual(["A b seen"]);
});

test("notifications come outside of transactions and between answers, in their order", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask(query("listen a"));
  await client.ask(query("begin"));
  await notify("a", "1", "2", "3");
  // They have come to the pooler when a later one has, to another client.
  const other = await pooler.connect();
  await other.ask(query("listen a"));
  await notify("a", "4");
  await untilNotified(other, 1);
  expect(await client.ask(query("select 1"))).toEqual(said("T, D 1, C SELECT 1, Z T"));
  expect(client.messages.some((words) => words.startsWith("A"))).toBe(false);
  await client.ask(query("commit"));
  expect(await untilNotified(client, 4)).toEqual(["A a 1", "A a 2", "A a 3", "A a 4"]);
});

test("a client gets its own notifications too, once its transaction has committed", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask(query("listen a"));
  await client.ask(query("notify a, 'own'"));
  await untilNotified(client, 1);
  await client.ask(query("begin; notify a, 'rolled back'; rollback"));
  await client.ask(query("begin; notify a, 'committed'; commit"));
  expect(await untilNotified(client, 2)).toEqual(["A a own", "A a committed"]);
});

test.each([
  ["commit", "committed", 1],
  ["rollback", "rolled back", 0],
])("LISTEN in a transaction takes effect at its end: %s", async (end, _, count) => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask(query("begin"));
  expect(await client.ask(query("listen a"))).toEqual(said("C LISTEN, Z T"));
  await client.ask(query(end));
  await notify("a", "1");
  const shown = await client.ask(query("select count(*) from pg_listening_channels()"));
  expect(shown).toContain(`D ${count}`);
  if (count > 0) {
    expect(await untilNotified(client, 1)).toEqual(["A a 1"]);
    expect(client.session.describe()).toMatchObject({ type: "pinned" });
  }
});

test("what a transaction would decide for a client that listens already is refused in words", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask(query("listen a"));
  expect(await client.ask(query("listen b; select 1; unlisten a"))).toEqual(said("E 0A000, Z I"));
  await client.ask(query("begin"));
  expect(await client.ask(query("unlisten a"))).toEqual(said("E 0A000, Z E"));
  await client.ask(query("rollback"));
  await client.ask(query("begin"));
  expect(await client.ask(query("listen b"))).toEqual(said("C LISTEN, Z T"));
  await client.ask(query("commit"));
  await notify("a", "1");
  await notify("b", "2");
  expect([...(await untilNotified(client, 2))].toSorted()).toEqual(["A a 1", "A b 2"]);
  // It keeps its backend for `b`, and `a` is left at the pooler.
  expect(await client.ask(query("unlisten *"))).toContain("C UNLISTEN");
  await notify("a", "3");
  await notify("b", "4");
  await client.ask(query("select 1"));
  expect(await untilNotified(client, 2)).toHaveLength(2);
});

test("a statement that PostgreSQL refuses changes nothing", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  expect(await client.ask(query("listen select"))).toEqual(said("E 42601, Z I"));
  expect(await client.ask([parse("listen a"), bind(), sync])).toEqual(said("1, 2, Z I"));
  await client.ask(query("listen b"));
  await notify("a", "1");
  await notify("b", "2");
  expect(await untilNotified(client, 1)).toEqual(["A b 2"]);
  expect(client.session.describe()).toEqual({ type: "idle" });
});

test("a client that listens is told when notifications may have been missed, and others go on", async () => {
  await using pooler = await scene();
  const [listening, other] = [await pooler.connect(), await pooler.connect()];
  await listening.ask(query("listen a"));
  await stage.postgres.sql(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and application_name like '% listen'",
    { values: [stage.database.name] },
  );
  await listening.until(() => listening.isEnded);
  expect(listening.messages.at(-1)).toBe("FATAL 08006");
  expect(listening.endReason).toMatchObject({ code: "CONNECTION_LOST" });
  expect(await other.ask(query("listen a"))).toEqual(said("C LISTEN, Z I"));
});

test("a client that listens is told when the pooler is not the primary any more", async () => {
  await using pooler = await scene();
  const [listening, other] = [await pooler.connect(), await pooler.connect()];
  await listening.ask(query("listen a"));
  await pooler.gate.setTarget(
    { status: ServingStatus.ServingReadOnly, role: PoolerRole.Replica, reason: "a test" },
    undefined,
  );
  await listening.until(() => listening.isEnded);
  expect(listening.messages.at(-1)).toBe("FATAL 57P01");
  // PostgreSQL decides whether a standby listens; this one is none.
  expect(await other.ask(query("listen a"))).toEqual(said("C LISTEN, Z I"));
});

test("a client that does not read, and one that stays in a transaction, are bounded", async () => {
  await using pooler = await scene({
    maxNotificationBytes: 20_000,
    limits: { heldBytes: 20_000 },
  });
  const [slow, busy, quick] = [
    await pooler.connect(),
    await pooler.connect(),
    await pooler.connect(),
  ];
  for (const client of [slow, busy, quick]) {
    await client.ask(query("listen load"));
  }
  await busy.ask(query("begin"));
  slow.isReading = false;
  const load = "select pg_notify('load', lpad(n::text, 1000, '0')) from generate_series(1, 100) n";
  await stage.postgres.sql(load, { database: stage.database.name });
  expect(await untilNotified(quick, 100)).toHaveLength(100);
  for (const client of [slow, busy]) {
    await client.until(() => client.isEnded);
    expect(client.messages.at(-1)).toBe("FATAL 53400");
    expect(client.endReason).toMatchObject({ code: "SUBSCRIBER_BEHIND" });
  }
  await quick.ask(query("select 1"));
});

test("clients that listen go away at any time, and nothing is left", async () => {
  await using pooler = await scene();
  const clients = await Promise.all(Array.from({ length: 30 }, () => pooler.connect()));
  await Promise.all(
    clients.map(async (client, index) => {
      client.send(query(`listen a${index % 5}`));
      if (index % 3 === 0) {
        await client.session.end("now");
      } else if (index % 3 === 1) {
        await client.answers();
        await client.session.end("boundary");
      } else {
        await client.answers();
      }
    }),
  );
  await notify("a2", "1");
  const listening = clients.filter((_, index) => index % 3 === 2 && index % 5 === 2);
  for (const client of listening) {
    expect(await untilNotified(client, 1)).toEqual(["A a2 1"]);
  }
});

/** Keeps a backend for a lock, and listens to `jobs` at the pooler. */
async function lockedListener(pooler: Awaited<ReturnType<typeof scene>>): Promise<TestClient> {
  const client = await pooler.connect();
  await client.ask(query("listen jobs"));
  await client.ask(query("select pg_advisory_lock(4)"));
  await client.ask(query("select 1"));
  expect(client.session.describe()).toMatchObject({ type: "pinned" });
  return client;
}

const prepared = (sql: string): Buffer =>
  Buffer.concat([
    parse(sql, "s"),
    describe("S", "s"),
    bind([], { statement: "s" }),
    describe("P"),
    execute(),
    close("S", "s"),
    sync,
  ]);

test.each([
  ["in a query", [query("listen jobs")]],
  ["in a query that names it twice", [query("listen jobs; listen jobs")]],
  ["in the extended protocol", [extended("listen jobs")]],
  ["in all messages of the extended protocol", [prepared("listen jobs")]],
  [
    "up to a Flush",
    [Buffer.concat([parse("listen jobs"), bind(), execute(), flush]), Buffer.concat([sync])],
  ],
  ["beside a new one", [query("listen jobs; listen tasks")]],
  ["beside a new one, one a unit", [extended("listen tasks"), prepared("listen jobs")]],
  ["among other statements", [query("listen jobs; select 1")]],
  ["in one transaction with others", [query("begin; listen jobs; select 1; commit")]],
  ["in a transaction", [query("begin"), prepared("listen jobs"), query("commit")]],
  [
    "in a transaction that fails",
    [query("begin"), query("listen jobs"), query("select 1/0; rollback"), query("rollback")],
  ],
])(
  "a LISTEN is repeated although something else keeps the backend, and nothing comes twice: %s",
  async (_, messages) => {
    await using pooler = await scene();
    const client = await lockedListener(pooler);
    const other = await pooler.connect();
    const answers: string[] = [];
    for (const bytes of messages) {
      if (bytes.at(-5) === "H".charCodeAt(0)) {
        client.send(bytes);
        answers.push(...(await client.upTo("C LISTEN")));
      } else {
        answers.push(...(await client.ask(bytes)));
      }
    }
    expect(answers).toContain("C LISTEN");
    expect(answers).not.toContain("E 0A000");
    const isNew = messages.some((bytes) => bytes.includes("tasks"));
    await notify("jobs", "between");
    await client.ask(query("notify jobs, 'own'; select 1"));
    await client.ask(query("select 1"));
    if (isNew) {
      await client.ask(query("notify tasks, 'new'"));
    }
    await notify("jobs", "last");
    const heard = [
      "A jobs between",
      "A jobs own",
      ...(isNew ? ["A tasks new"] : []),
      "A jobs last",
    ];
    expect((await untilNotified(client, heard.length)).toSorted()).toEqual(heard.toSorted());
    expect(await client.ask(query("select pg_advisory_unlock(4)"))).toContain("D t");
    await client.ask(query("select 1"));
    // Its backend is nobody's who listens.
    expect(client.session.describe()).toEqual({ type: "idle" });
    await other.ask(query("begin"));
    await notify("jobs", "after");
    expect((await untilNotified(client, heard.length + 1)).at(-1)).toBe("A jobs after");
    await other.ask(query("commit"));
    expect(other.messages.some((words) => words.startsWith("A"))).toBe(false);
    expect(client.messages.filter((words) => words.startsWith("A"))).toHaveLength(heard.length + 1);
  },
);

test("a backend that listens itself is heard beside the pooler, also when a channel is left", async () => {
  await using pooler = await scene();
  const client = await pooler.connect();
  await client.ask(query("listen a"));
  await client.ask(query("begin"));
  await client.ask(query("listen a; listen b; commit"));
  await client.ask(query("select pg_notify('b', '1'), pg_notify('a', '1')"));
  await untilNotified(client, 2);
  for (let round = 2; round < 20; round += 1) {
    // Those of `b` come with answers that are held until the channels have changed.
    client.send(query(`notify b, '${round}'`), query("listen a"), extended("unlisten none"));
    await client.answers(3);
  }
  const told = await untilNotified(client, 20);
  expect(told.filter((words) => words.startsWith("A b"))).toHaveLength(19);
  expect(told.filter((words) => words.startsWith("A a"))).toEqual(["A a 1"]);
});

test("a LISTEN listens although the pooler has stopped listening while it waited", async () => {
  await using pooler = await scene({ capacity: 2 });
  const client = await pooler.connect();
  const holding = [await pooler.connect(), await pooler.connect()];
  for (const busy of holding) {
    await busy.ask(query("begin; select 1"));
  }
  // It waits for a backend, and its subscription ends.
  client.send(query("listen a"));
  pooler.listener.stop(new MultiPoolerError(PoolerErrorCode.NotServing, "a test"));
  for (const busy of holding) {
    await busy.ask(query("commit"));
  }
  expect(await client.answers()).toEqual(said("C LISTEN, Z I"));
  await notify("a", "1");
  expect(await untilNotified(client, 1)).toEqual(["A a 1"]);
});
