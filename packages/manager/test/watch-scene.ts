import type net from "node:net";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import type { MemoryTopology } from "@multipooler/topo/memory";
import { PoolerType } from "../src/record/pooler-type.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { passOn } from "./peer.ts";
import { copyServer } from "./server-copy.ts";
import { configFor } from "./server.ts";

/** The address that the name of the server leads to. */
export const FIRST = "127.0.0.2";

/** The next one. */
export const SECOND = "127.0.0.3";

/** What an address leads to. */
export class Front {
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

/** The server that a pooler watches. */
export interface WatchedServer {
  readonly server: TestPostgres;
  /** Its processes that were stopped. */
  readonly frozen: number[];
}

/** The servers and the pooler, a REPLICA whose shard has `primary` for its primary. */
export interface Scene extends WatchedServer {
  readonly primary: TestPostgres;
  /** A copy of the primary that went its own way. */
  readonly branch: TestPostgres;
  /** Of another cluster. */
  readonly stranger: TestPostgres;
  readonly first: Front;
  readonly second: Front;
  readonly names: string[];
  readonly owner: ManagerFixture;
}

/** Starts the servers, and makes the pooler that owns the shard. */
export async function sceneOf(
  parts: AsyncDisposableStack,
  servers: MemoryTopology,
): Promise<Scene> {
  const primary = parts.use(await startPostgres());
  const server = await copyServer(parts, primary, { follows: true });
  const branch = await copyServer(parts, primary, { follows: false });
  const stranger = parts.use(await startPostgres());
  const [first, second] = [new Front(server.port), new Front(primary.port)];
  const owner = new ManagerFixture({
    servers,
    name: "owner",
    initialType: PoolerType.Primary,
    database: configFor(primary),
  });
  parts.use(owner);
  return { primary, server, branch, stranger, first, second, names: [FIRST], owner, frozen: [] };
}

/** Stops each process of the server that takes or answers connections. */
export async function freeze(scene: WatchedServer): Promise<void> {
  const { server, frozen } = scene;
  const rows = await server.sql("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()");
  const pids = [server.pid, ...rows.map(({ pid }) => pid)];
  frozen.push(...pids.filter((pid) => typeof pid === "number"));
  signal(scene, "SIGSTOP");
}

/** Has the processes of the server go on. */
export function thaw(scene: WatchedServer): void {
  signal(scene, "SIGCONT");
}

function signal({ frozen }: WatchedServer, name: "SIGSTOP" | "SIGCONT"): void {
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
