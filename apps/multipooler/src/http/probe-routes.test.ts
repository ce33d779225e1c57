import type { ManagerStatus } from "@multipooler/manager";
import { expect, test } from "vitest";
import type { HttpAnswer } from "./http-answer.ts";
import { probeRoutes } from "./probe-routes.ts";
import type { ProbeSources } from "./probe-routes.ts";

const STATUS: ManagerStatus = {
  state: { name: "ready" },
  ready: true,
  notReadyReason: undefined,
  notReadyCode: undefined,
  notReadySince: undefined,
  pooler: { cell: "zone1", name: "a" },
  shard: { database: "postgres", tableGroup: "default", shard: "0-inf" },
  type: "PRIMARY",
  term: { number: 0n, acceptedLeader: undefined, acceptedAt: undefined, leader: undefined },
  demotion: undefined,
  runningAction: undefined,
  serving: {
    current: { role: "PRIMARY", status: "SERVING", reason: "all is well" },
    wanted: undefined,
  },
  intent: { status: "SERVING", reason: "", since: undefined, forgottenBecause: undefined },
  transitions: [],
  database: {
    address: { type: "tcp", host: "127.0.0.1", port: 5432 },
    database: "postgres",
    reachable: true,
    lastError: undefined,
    inRecovery: false,
    serverVersion: "17.6",
    connectionsUsed: 3,
    connectionsLimit: 90,
  },
  topology: {
    implementation: "memory",
    registered: true,
    typeSource: "topology",
    ignoredType: undefined,
    shardPrimary: undefined,
    lastError: undefined,
    lastPublishedAt: undefined,
    awaySince: undefined,
  },
  heartbeat: { mode: "off" },
  startedAt: new Date(0),
};

const REPLICA: ManagerStatus = {
  ...STATUS,
  serving: {
    current: { role: "REPLICA", status: "SERVING_RDONLY", reason: "all is well" },
    wanted: undefined,
  },
  heartbeat: { mode: "reader", lagMs: 700, behindBytes: 2048, lastError: undefined },
};

const DOWN: ManagerStatus = {
  ...STATUS,
  ready: false,
  notReadyReason: "PostgreSQL does not answer",
  database: { ...STATUS.database, reachable: false, lastError: "refused" },
};

async function ask(
  target: string,
  status = STATUS,
  overrides: Partial<ProbeSources> = {},
): Promise<HttpAnswer> {
  const sources: ProbeSources = {
    status: () => status,
    process: () => ({
      log: undefined,
      grpc: { open: 1, refused: 0, limit: 9 },
      clients: undefined,
    }),
    settings: () => [{ name: "cell", value: "zone2", source: "flag", from: "--cell" }],
    metrics: () => Promise.resolve("mg_pooler_up 1\n"),
    ...overrides,
  };
  const [path = "", query] = target.split("?");
  const route = new Map(probeRoutes(sources)).get(path);
  if (route === undefined || route.type === "stream") {
    throw new Error(`nothing at ${path}`);
  }
  return await route.answer({ query: new URLSearchParams(query) });
}

function bodyOf({ body }: HttpAnswer): unknown {
  return JSON.parse(body.toString());
}

test.each([
  ["/live", 200, 200, 200],
  ["/liveness", 200, 200, 200],
  ["/ready", 200, 200, 503],
  ["/readiness", 200, 200, 503],
  ["/health", 200, 200, 503],
  ["/primary", 200, 503, 503],
  ["/master", 200, 503, 503],
  ["/leader", 200, 503, 503],
  ["/read-write", 200, 503, 503],
  ["/replica", 503, 200, 503],
  ["/replica?lag=1kB", 503, 503, 503],
  ["/replica?lag=2kB", 503, 200, 503],
  ["/replica?lag=1s", 503, 200, 503],
  ["/read-only", 200, 200, 503],
  ["/read-only?lag=500ms", 200, 503, 503],
  ["/version", 200, 200, 200],
  ["/config", 200, 200, 200],
  ["/metrics", 200, 200, 200],
])("%s answers %i of a primary, %i of a replica, %i without PostgreSQL", async (target, ...all) => {
  const answers = await Promise.all([STATUS, REPLICA, DOWN].map((one) => ask(target, one)));
  expect(answers.map(({ status }) => status)).toEqual(all);
});

test("the answer says what is taken or why not, and how far behind a replica is", async () => {
  expect(bodyOf(await ask("/primary"))).toMatchObject({
    role: "PRIMARY",
    serving: "SERVING",
    takes: true,
  });
  expect(bodyOf(await ask("/replica?lag=1kB", REPLICA))).toMatchObject({
    role: "REPLICA",
    takes: false,
    refusal: "the replica is 2048 bytes behind, of 1024 bytes at most",
    lag: { ms: 700, bytes: 2048, limit: { unit: "bytes", max: 1024 } },
  });
  expect(bodyOf(await ask("/health", DOWN))).toMatchObject({
    healthy: false,
    database: { reachable: false, error: "refused" },
  });
});

test.each(["/replica", "/read-only"])("a lag that is none is refused at %s", async (path) => {
  const answer = await ask(`${path}?lag=ten`);
  expect([answer.status, bodyOf(answer)]).toEqual([
    400,
    {
      code: "BAD_LAG",
      error:
        'lag: "ten" is no amount of WAL such as 1048576, 16kB, 10MB or 1GB, ' +
        "and no time such as 500ms, 10s or 2min",
    },
  ]);
  expect((await ask("/primary?lag=ten")).status).toBe(200);
});

test("/version tells name, version and Node's version", async () => {
  expect(bodyOf(await ask("/version"))).toMatchObject({
    name: "multipooler",
    node: process.version,
  });
});

test("/metrics answers in the text format of Prometheus, and with 500 where that fails", async () => {
  const answer = await ask("/metrics");
  expect([answer.body, answer.headers["content-type"]]).toEqual([
    "mg_pooler_up 1\n",
    "text/plain; version=0.0.4; charset=utf-8",
  ]);
  const failed = await ask("/metrics", STATUS, {
    metrics: () => Promise.reject(new Error("cannot be collected")),
  });
  expect([failed.status, bodyOf(failed)]).toEqual([
    500,
    { code: "METRICS_FAILED", error: "cannot be collected" },
  ]);
});

test("/config tells what is set and where, and no page of another origin may read it", async () => {
  const answer = await ask("/config");
  expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
  expect(bodyOf(answer)).toEqual({
    settings: [{ name: "cell", value: "zone2", source: "flag", from: "--cell" }],
  });
});
