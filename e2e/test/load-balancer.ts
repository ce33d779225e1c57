import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { PoolerProcess } from "@multipooler/pooler-process";

/** A port that leads to one of the poolers. */
type Service = "grpc" | "pgwire";

interface Member {
  readonly name: string;
  readonly ready: string;
  readonly ports: Readonly<Record<Service, number>>;
  isReady: boolean;
  /** Connections that it was given. */
  taken: number;
}

const SERVICES: readonly Service[] = ["grpc", "pgwire"];
const POLL_MS = 200;

/**
 * A TCP load balancer as operators have one: it asks `/ready` of each pooler again and again, gives
 * new connections to those that said 200, in turn, and leaves the connections that there are alone.
 */
export class LoadBalancer implements AsyncDisposable {
  readonly #servers: ReadonlyMap<Service, Server>;
  readonly #members = new Map<string, Member>();
  readonly #sockets = new Set<Socket>();
  readonly #stop = new AbortController();
  readonly #polling: Promise<void>;
  readonly #onPolled: (() => void)[] = [];
  #turn = 0;

  private constructor(servers: ReadonlyMap<Service, Server>) {
    this.#servers = servers;
    for (const [service, server] of servers) {
      server.on("connection", (client) => this.#join(client, service));
    }
    this.#polling = this.#poll();
  }

  static async start(): Promise<LoadBalancer> {
    const servers = new Map<Service, Server>();
    for (const service of SERVICES) {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      servers.set(service, server);
    }
    return new LoadBalancer(servers);
  }

  port(service: Service): number {
    const address = this.#servers.get(service)?.address();
    if (typeof address !== "object" || address === null) {
      throw new Error("the balancer does not listen");
    }
    return address.port;
  }

  /** Puts a pooler behind it, in place of one of the same name. */
  async add(name: string, pooler: PoolerProcess): Promise<void> {
    const [http, grpc, pgwire] = await Promise.all([pooler.http(), pooler.grpc(), pooler.pgwire()]);
    const ports = { grpc: portOf(grpc), pgwire: portOf(pgwire) };
    this.#members.set(name, { name, ready: `${http}/ready`, ports, isReady: false, taken: 0 });
  }

  /** Resolves when it takes the pooler for ready. */
  async sees(name: string): Promise<void> {
    await this.#until(name, ({ isReady }) => isReady);
  }

  /** Resolves when the pooler of this name has been given a connection since it was added. */
  async uses(name: string): Promise<void> {
    await this.#until(name, ({ taken }) => taken > 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const closed = [...this.#servers.values()].map(async (server) => {
      server.close();
      await once(server, "close");
    });
    this.#sockets.forEach((socket) => socket.destroy());
    await Promise.all([this.#polling, ...closed]);
  }

  async #until(name: string, holds: (member: Member) => boolean): Promise<void> {
    for (;;) {
      const member = this.#members.get(name);
      if (member !== undefined && holds(member)) {
        return;
      }
      await new Promise<void>((resolve) => this.#onPolled.push(resolve));
    }
  }

  async #poll(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await Promise.all(
        [...this.#members.values()].map(async (member) => {
          member.isReady = await saysReady(member.ready, signal);
        }),
      );
      this.#onPolled.splice(0).forEach((resolve) => resolve());
      // A balancer polls; nothing tells it.
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  #join(client: Socket, service: Service): void {
    const ready = [...this.#members.values()].filter((member) => member.isReady);
    const member = ready[this.#turn % Math.max(ready.length, 1)];
    this.#turn += 1;
    if (member === undefined) {
      client.destroy();
      return;
    }
    member.taken += 1;
    const pooler = connect({ host: "127.0.0.1", port: member.ports[service], noDelay: true });
    client.setNoDelay(true);
    for (const [from, to] of [
      [client, pooler],
      [pooler, client],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => to.destroy());
      from.once("close", () => {
        this.#sockets.delete(from);
        to.destroySoon();
      });
      from.pipe(to);
    }
  }
}

async function saysReady(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, { signal });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

function portOf(address: string): number {
  return Number(address.split(":").at(-1));
}
