import type net from "node:net";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { MemoryTopology } from "@multipooler/topo/memory";
import { expect, test } from "vitest";
import type { ManagerStatus } from "../src/manager-status.ts";
import { PoolerType } from "../src/record/pooler-type.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { listenAsPeer, passOn } from "./peer.ts";
import { copyServer } from "./server-copy.ts";
import { configFor } from "./server.ts";

/** How long a change may be there before who watches the status knows of it. */
const LIMIT_MS = 1_000;
/** Five servers are started, and most of them again. */
const TIMEOUT_MS = 120_000;

/** What the name of the server leads to. */
class Front {
  /** The server on the other side. */
  port: number;
  readonly #sockets = new Set<net.Socket>();

  constructor(port: number) {
    this.port = port;
  }

  readonly accept = (socket: net.Socket): void => {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    passOn(this.port)(socket);
  };

  /** Has another server in the place of the one that was there. */
  replace(port: number): void {
    this.port = port;
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }
}

/** The servers and the pooler, a REPLICA whose shard has `primary` for its primary. */
interface Scene {
  readonly primary: TestPostgres;
  readonly standby: TestPostgres;
  /** A copy of the primary that went its own way. */
  readonly branch: TestPostgres;
  /** Of another cluster. */
  readonly stranger: TestPostgres;
  readonly first: Front;
  readonly second: Front;
  readonly names: string[];
  readonly owner: ManagerFixture;
  /** The processes of the standby that were stopped. */
  readonly frozen: number[];
}

/** What somebody does to the server, and how the status has it. */
interface Change {
  /** Resolves as soon as it is done. */
  readonly happen: (scene: Scene) => Promise<void> | void;
  readonly isTold: (status: ManagerStatus) => boolean;
}

const [FIRST, SECOND] = ["127.0.0.2", "127.0.0.3"];
const isReachable = ({ database }: ManagerStatus): boolean => database.reachable;
const isAway = ({ database }: ManagerStatus): boolean => !database.reachable;

function signal({ frozen }: Scene, name: "SIGSTOP" | "SIGCONT"): void {
  for (const pid of frozen) {
    try {
      process.kill(pid, name);
    } catch (error) {
      // It has ended since it was listed.
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) {
        throw error;
      }
    }
  }
}

/** Stops each process of the server that takes or answers connections. */
async function freeze(scene: Scene): Promise<void> {
  const { standby, frozen } = scene;
  const rows = await standby.sql("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()");
  const pids = [standby.pid, ...rows.map(({ pid }) => pid)];
  frozen.push(...pids.filter((pid) => typeof pid === "number"));
  signal(scene, "SIGSTOP");
}

/** In the order in which they happen; each begins where the one before has led. */
const CHANGES: Readonly<Record<string, Change>> = {
  hangs: { happen: freeze, isTold: isAway },
  "answers again": { happen: (scene) => signal(scene, "SIGCONT"), isTold: isReachable },
  died: { happen: ({ standby }) => standby.kill(), isTold: isAway },
  "came back": { happen: ({ standby }) => standby.start(), isTold: isReachable },
  "was promoted by somebody else": {
    happen: async ({ standby }) => void (await standby.sql("SELECT pg_promote()")),
    isTold: ({ database }) => database.inRecovery === false,
  },
  "was demoted by somebody else": {
    happen: ({ standby }) => standby.restart({ role: "standby" }),
    isTold: ({ database }) => database.inRecovery === true && database.reachable,
  },
  "moved to another address": {
    happen: ({ names }) => void names.splice(0, 1, SECOND),
    isTold: ({ notReadyReason }) =>
      notReadyReason?.endsWith("is no longer at the configured address") === true,
  },
  "is served from there": {
    happen: () => undefined,
    isTold: ({ database }) => database.reachable && database.inRecovery === false,
  },
  "has another system identifier": {
    happen: ({ second, stranger }) => second.replace(stranger.port),
    isTold: ({ notReadyCode }) => notReadyCode === "WRONG_CLUSTER",
  },
  "has the right one again": {
    happen: ({ second, primary }) => second.replace(primary.port),
    isTold: ({ ready }) => ready,
  },
  "is on another timeline": {
    happen: async ({ second, branch, primary, owner }) => {
      await primary.restart({ role: "standby" });
      await primary.sql("SELECT pg_promote()");
      await owner.untilReady();
      second.replace(branch.port);
    },
    isTold: ({ notReadyCode }) => notReadyCode === "DIVERGED",
  },
};

async function sceneOf(parts: AsyncDisposableStack, servers: MemoryTopology): Promise<Scene> {
  const primary = parts.use(await startPostgres());
  const standby = await copyServer(parts, primary, { follows: true });
  const branch = await copyServer(parts, primary, { follows: false });
  const stranger = parts.use(await startPostgres());
  const [first, second] = [new Front(standby.port), new Front(primary.port)];
  const owner = new ManagerFixture({
    servers,
    name: "owner",
    initialType: PoolerType.Primary,
    database: configFor(primary),
  });
  parts.use(owner);
  return { primary, standby, branch, stranger, first, second, names: [FIRST], owner, frozen: [] };
}

test("each change is told within a second", { timeout: TIMEOUT_MS }, async ({ annotate }) => {
  await using parts = new AsyncDisposableStack();
  const servers = new MemoryTopology();
  const scene = await sceneOf(parts, servers);
  const { first, second, names, owner } = scene;
  const x = parts.use(await listenAsPeer(first.accept, { host: FIRST, port: 0 }));
  parts.use(await listenAsPeer(second.accept, { host: SECOND, port: x.port }));
  await owner.open();
  await owner.untilReady();
  await using fixture = new ManagerFixture({
    servers,
    name: "watched",
    initialType: PoolerType.Replica,
    database: {
      ...configFor(scene.standby),
      address: { type: "tcp", host: "db", port: x.port },
      lookup: async () => names,
    },
    // The default, which the test of everything else shortens.
    manager: { healthIntervalMs: 1_000 },
  });
  await fixture.open();
  await fixture.untilReady();
  const late: string[] = [];
  const times: string[] = [];
  for (const [what, { happen, isTold }] of Object.entries(CHANGES)) {
    const told = happenedAndTold(fixture, isTold);
    await happen(scene);
    const since = performance.now();
    const ms = Math.max(0, Math.round((await told()) - since));
    times.push(`${what}: ${ms} ms`);
    if (ms >= LIMIT_MS) {
      late.push(`${what}: ${ms} ms`);
    }
  }
  await annotate(times.join("; "));
  expect(late).toEqual([]);
});

/** Notes when the status first holds from now on; the returned function waits for that. */
function happenedAndTold(fixture: ManagerFixture, isTold: Change["isTold"]): () => Promise<number> {
  const told = fixture.until(isTold).then(() => performance.now());
  return () => told;
}
