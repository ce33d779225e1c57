// A pooler that changes its role once, prints what it is then, and ends. Killed before a step, if told so.
import { once } from "node:events";
import { MockController } from "@multipooler/controller-testkit";
import { Topology, ensureCell } from "@multipooler/topo";
import { SqliteBackend } from "@multipooler/topo/sqlite";
import type { Logger } from "../../src/logger.ts";
import { MultiPoolerManager } from "../../src/manager.ts";
import { postgresDatabase } from "../../src/postgres/postgres-database.ts";
import type { ServerProcess } from "../../src/promotion/server-process.ts";
import { PoolerType } from "../../src/record/pooler-type.ts";
import { untilStatus } from "../../src/serving/status-wait.ts";
import { NO_TERM } from "../../src/terms/consensus-term.ts";

const [verb = "", directory = "", port = "", killAt = ""] = process.argv.slice(2);
const TERM = 1n;

const topology = new Topology({
  backend: new SqliteBackend(),
  serverAddresses: [`${directory}/topology.db`],
  root: "/test/global",
});

const silent = (): void => undefined;
const logger: Logger = {
  debug: silent,
  info: (fields) => {
    if ("step" in fields && fields.step === killAt) {
      process.kill(process.pid, "SIGKILL");
    }
  },
  warn: silent,
  error: silent,
};

/** The server belongs to the parent, which it outlives no more than this process. */
const serverProcess: ServerProcess = {
  check: async () => undefined,
  restartAsStandby: async () => {
    process.send?.("restart");
    await once(process, "message");
  },
};

const manager = new MultiPoolerManager({
  controller: new MockController(),
  topology,
  topologyName: "sqlite",
  pooler: {
    identity: { cell: "zone1", name: "a" },
    shard: { database: "postgres", tableGroup: "default", shard: "0-inf" },
    initialType: PoolerType.Primary,
    hostname: "localhost",
    ports: () => ({}),
    poolerDir: directory,
  },
  database: postgresDatabase({
    address: { type: "tcp", host: "127.0.0.1", port: Number(port) },
    database: "postgres",
    user: "postgres",
    password: () => undefined,
  }),
  serverProcess,
  healthIntervalMs: 100,
  logger,
});

async function change(): Promise<void> {
  switch (verb) {
    case "recruit":
      await manager.consensus.setTerm({ ...NO_TERM, number: TERM });
      break;
    case "demote":
      await manager.roles.demote({ term: TERM });
      break;
    case "promote":
      await manager.roles.promote({ term: TERM });
      break;
    case "undo":
      await manager.roles.undoDemote();
      break;
    case "look":
      break;
    default:
      throw new Error(`no verb: ${verb}`);
  }
}

await ensureCell(topology, { name: "zone1", serverAddresses: [], root: "/test/zone1" });
await manager.open({ transports: [] });
await untilStatus(
  manager,
  ({ topology: { registered }, database, serving }) =>
    registered && database.reachable && serving.wanted === undefined,
  AbortSignal.timeout(60_000),
);
await change();
const settled = await untilStatus(
  manager,
  ({ serving }) => serving.wanted === undefined,
  AbortSignal.timeout(60_000),
);
const { role, status } = settled.serving.current;
const held = settled.notReadyReason?.includes("is not complete") === true ? " held" : "";
process.stdout.write(`${settled.type} ${role} ${status}${held}\n`);
await manager.close();
await topology.close();
process.disconnect();
