import { join } from "node:path";
import { PgctldServer } from "@multipooler/pgctld";
import { runProgram, startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess, ProgramResult } from "@multipooler/pooler-process";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ServerPair } from "./server-pair.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { argumentsOf, inFile } from "./topology-flags.ts";

/** What a verb only looks at, or shows for as long as somebody watches. */
const LOOKING = [
  "status",
  "pools",
  "clients",
  "reservations",
  "top",
  "followers",
  "replication status",
  "topo get",
  "topo list",
  "topo watch",
  "topo tree",
];
/** Not like the others: JSON is also one of its formats, and what it changes is in the SQL. */
const QUERY = "query";

/** A verb that changes something, or waits for it. */
interface Change {
  readonly at: "primary" | "standby" | "both" | "topology";
  readonly args?: () => readonly string[];
  /** A part of the explanation. */
  readonly tells: string;
}

const FORCE = ["--force", "only explained"];
const standbys =
  (...names: readonly string[]) =>
  (): readonly string[] => [...names, ...FORCE];

const CHANGES: Readonly<Record<string, Change>> = {
  reload: { at: "primary", tells: '"steps": []' },
  drain: { at: "primary", tells: "close all connections to PostgreSQL" },
  serve: { at: "primary", tells: "serve what the type PRIMARY, PostgreSQL and the wish allow" },
  kill: { at: "primary", args: () => [clientId], tells: "end the session of user postgres in" },
  term: {
    at: "primary",
    args: () => ["--set", "7"],
    tells: "set the term to 7, which nobody leads, in place of 1:",
  },
  promote: { at: "standby", args: () => FORCE, tells: "claim the shard" },
  demote: { at: "primary", args: () => FORCE, tells: "restart as standby" },
  "change-type": { at: "standby", args: () => ["primary"], tells: "name the type PRIMARY in" },
  switchover: { at: "both", tells: "recruit" },
  "wait-lsn": { at: "standby", args: () => ["F/0"], tells: "wait until F/0 is replayed; the" },
  "set-primary": {
    at: "standby",
    args: standbys("db9:5432"),
    tells: "set primary_conninfo to db9:",
  },
  "replication start": { at: "standby", tells: '"needed": false' },
  "replication stop": { at: "standby", args: () => ["--mode", "both"], tells: "pause the replay" },
  "replication reset": { at: "standby", tells: "reset primary_conninfo, which names 127.0.0.1:" },
  "replication synchronous": {
    at: "primary",
    args: () => ["zone1/c"],
    tells: "any 1 of zone1/c (",
  },
  "replication standbys add": {
    at: "primary",
    args: standbys("zone1/c"),
    tells: "wait for zone1/b, zone1/c in place of zone1/b,",
  },
  "replication standbys remove": { at: "primary", args: standbys("zone1/c"), tells: "false" },
  "replication standbys replace": {
    at: "primary",
    args: standbys("zone1/c"),
    tells: "wait for zone1/c in place of zone1/b,",
  },
  "topo delete": { at: "topology", args: standbys("pooler/zone1/a"), tells: "delete /" },
  "topo init": { at: "topology", args: () => ["--cell", "zone9"], tells: "record of cell zone9" },
};
/** As they are, there is nothing to explain. */
const REFUSED: Readonly<Record<string, Change>> = {
  "undo-demote": { at: "standby", tells: "there is no demotion to undo" },
};

const parts = new AsyncDisposableStack();
let primary: PoolerProcess;
let standby: PoolerProcess;
let topology: Readonly<Record<string, string>>;
let pair: ServerPair;
let clientId = "";

beforeAll(async () => {
  pair = parts.use(await ServerPair.start({ setUp: ["alter role postgres password 'secret'"] }));
  const { path } = parts.use(await temporaryDirectory());
  topology = inFile(join(path, "topology.db"));
  const logger = { info: () => undefined, warn: () => undefined };
  const { control } = pair.primary;
  const daemon = new PgctldServer({ control, address: "127.0.0.1:0", logger });
  await daemon.listen();
  parts.defer(() => daemon.close({ signal: AbortSignal.timeout(5000) }));
  const start = (name: "a" | "b", type: string): PoolerProcess => {
    const { host, port } = name === "a" ? pair.primary : pair.standby;
    const flags = {
      ...topology,
      cell: "zone1",
      "pg-host": host,
      "pg-port": String(port),
      "pg-listen-port": "0",
      "service-id": name,
      "pooler-dir": join(path, name),
      "pgctld-addr": `127.0.0.1:${daemon.port}`,
      "initial-pooler-type": type,
    };
    return parts.use(startPooler({ flags }));
  };
  primary = start("a", "primary");
  standby = start("b", "replica");
  const signal = AbortSignal.timeout(60_000);
  await Promise.all([primary.ready(200, { signal }), standby.ready(200, { signal })]);
  const [a, b] = [await primary.grpc(), await standby.grpc()];
  await succeed("term", "--set", "1", "--address", a);
  await succeed("term", "--set", "1", "--leader", "zone1/a", "--address", b);
  await succeed("replication", "synchronous", "zone1/b", "--commit", "local", "--address", a);
}, 120_000);

afterAll(() => parts.disposeAsync());

function ctl(...args: readonly string[]): Promise<ProgramResult> {
  return runProgram(["ctl", ...args]);
}

async function succeed(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await ctl(...args);
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
  return stdout;
}

async function placeOf(at: Change["at"]): Promise<readonly string[]> {
  switch (at) {
    case "primary":
      return ["--address", await primary.grpc()];
    case "standby":
      return ["--address", await standby.grpc()];
    case "both":
      return ["--from", await primary.grpc(), "--to", await standby.grpc()];
    case "topology":
      return argumentsOf(topology);
  }
}

/** The options of each verb, as a shell completes them. */
async function optionsOfVerbs(): Promise<ReadonlyMap<string, readonly string[]>> {
  const { stdout } = await runProgram(["completion", "bash"]);
  const lines = stdout.matchAll(/^ {4}"ctl ([^"]+)"\) words="([^"]*)" ;;$/gm);
  const verbs = [...lines].map(([, verb = "", words = ""]) => [verb, words.split(" ")] as const);
  // A group has no options of its own.
  return new Map(verbs.filter(([, words]) => words.some((word) => !/^--help$|^[a-z]/.test(word))));
}

test("every verb can print JSON, and each that changes something can be explained", async () => {
  const verbs = await optionsOfVerbs();
  const changing = [...Object.keys(CHANGES), ...Object.keys(REFUSED)];
  expect([...verbs.keys()].toSorted()).toEqual([QUERY, ...LOOKING, ...changing].toSorted());
  const having = (option: string): readonly string[] =>
    [...verbs].filter(([, options]) => options.includes(option)).map(([verb]) => verb);
  expect(having("--json").toSorted()).toEqual([QUERY, ...LOOKING, ...changing].toSorted());
  expect(having("--explain").toSorted()).toEqual(changing.toSorted());
  expect(having("--format")).toEqual([QUERY]);
});

test("a standby is not promoted beside its primary", async () => {
  const address = await standby.grpc();
  const refused = await ctl("promote", "--address", address);
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toMatch(/zone1\/a at \S+ takes the writes, .* "ctl term --set 2", and/);
  const named = await ctl("promote", "--term", "1", "--address", address);
  expect(named).toMatchObject({ code: 1, stdout: "" });
  expect(named.stderr).toContain("zone1/a leads term 1: another pooler is promoted in a newer one");
});

test("a switchover takes no term that is known already", async () => {
  const place = await placeOf("both");
  const refused = await ctl("switchover", ...place, "--term", "1", "--explain");
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toBe("multipooler: --term is 1; it must be 2 or higher\n");
});

/** What an explanation must not change. */
async function state(): Promise<unknown> {
  const [a, b] = [await primary.grpc(), await standby.grpc()];
  const shown = [
    ["status", "--address", a],
    ["status", "--address", b],
    ["replication", "--address", b],
    ["followers", "--address", a],
    ["topo", "list", ...argumentsOf(topology)],
  ];
  const texts = await Promise.all(shown.map((args) => succeed(...args, "--json")));
  const pick =
    /"(?:poolerType|role|current|intent|status|reason|termNumber|name|raw|isWalReplayPaused|numSync|servingStatus|key)": ?[^\n]*/g;
  return texts.map((text) => text.match(pick));
}

describe("explained", () => {
  let before: unknown;
  let client: pg.Client;

  beforeAll(async () => {
    const connectionString = `postgres://postgres:secret@${await primary.pgwire()}/postgres`;
    client = new pg.Client({ connectionString });
    await client.connect();
    const clients = await succeed("clients", "--json", "--address", await primary.grpc());
    clientId = /"id": (\d+)/.exec(clients)?.[1] ?? "none";
    before = await state();
  });

  afterAll(async () => {
    // The client was not ended either.
    await client.query("select 1");
    await client.end();
    expect(await state()).toEqual(before);
  });

  const explanationOf = async (verb: string, { at, args }: Change): Promise<string> => {
    const line = [...verb.split(" "), ...(args?.() ?? []), ...(await placeOf(at))];
    return await succeed(...line, "--explain", "--json");
  };
  const ofOne = Object.entries(CHANGES).filter(([, { at }]) => at !== "both");
  const ofBoth = Object.entries(CHANGES).filter(([, { at }]) => at === "both");

  test.concurrent.each(ofOne)("%s", async (verb, change) => {
    const json = await explanationOf(verb, change);
    expect(JSON.parse(json)).toHaveProperty("steps");
    expect(json).toContain(change.tells);
  });

  // It would wait for calls of the others, and say so.
  test.each(ofBoth)("%s", async (verb, change) => {
    const json = await explanationOf(verb, change);
    expect(JSON.parse(json)).toHaveProperty("steps");
    expect(json).toContain(change.tells);
  });

  test.concurrent.each(Object.entries(REFUSED))("%s is refused", async (verb, { at, tells }) => {
    const { code, stdout, stderr } = await ctl(verb, ...(await placeOf(at)), "--explain");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(tells);
  });
});

test("an explanation for people has a numbered line a step, and says what is done already", async () => {
  const at = await placeOf("standby");
  expect(await succeed("replication", "start", "--explain", ...at)).toBe(
    "1.  resume replay  resume the replay (done already)\n",
  );
  expect(await succeed("reload", "--explain", ...at)).toBe("There is nothing to do.\n");
});

test.each([
  ["set-primary", ["db9:5432"], "term 0 is older than the pooler's 1: give --term or --force"],
  ["set-primary", ["db9"], '"db9" is no address'],
  ["kill", ["4711"], "there is no client 4711"],
  ["followers", [], "pooler type is REPLICA, must be PRIMARY"],
  ["term", [], "--explain goes with --set"],
])("%s %j is refused where the change would be", async (verb, args, why) => {
  const explain = verb === "followers" ? [] : ["--explain"];
  const result = await ctl(verb, ...args, ...explain, ...(await placeOf("standby")));
  expect(result.code).not.toBe(0);
  expect(result.stderr).toContain(why);
});
