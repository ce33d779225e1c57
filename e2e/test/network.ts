import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

/**
 * What a new connection gets, by its first message: the server behind the network, nothing at all,
 * or these bytes and then nothing.
 */
export type Route = (startup: Buffer) => "server" | "nothing" | Buffer;

/** What becomes of an answer of the server, and of its connection after that. */
export interface Damage {
  readonly change: (answer: Buffer) => Buffer;
  readonly after: "open" | "closed" | "silent";
}

/** One connection from the pooler to the server. */
interface Link {
  readonly startup: Buffer;
  readonly client: Socket;
  readonly server: Socket;
  /** Carries nothing any more, not even its end. */
  silent: boolean;
}

/** A network in front of a server of this machine that can break in the ways networks do. */
export class Network implements AsyncDisposable {
  route: Route = () => "server";
  /** What is done to an answer of the server; `undefined`: nothing. */
  damage: (answer: Buffer) => Damage | undefined = () => undefined;
  /** How long each answer of the server is under way. */
  delayMs = 0;
  readonly port: number;
  readonly #server: Server;
  readonly #target: number;
  readonly #sockets = new Set<Socket>();
  readonly #links = new Set<Link>();

  private constructor(server: Server, port: number, target: number) {
    this.#server = server;
    this.port = port;
    this.#target = target;
    server.on("connection", (client) => this.#accept(client));
  }

  /** A network that works, in front of a port of this machine. */
  static async before(target: number): Promise<Network> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") {
      throw new Error("no port was given");
    }
    return new Network(server, address.port, target);
  }

  /** Connections that the pooler has open to the server. */
  get connections(): number {
    return this.#links.size;
  }

  /** The connections of now whose start-up message matches carry nothing from here on. */
  swallow(matches: (startup: Buffer) => boolean = () => true): void {
    for (const link of this.#links) {
      link.silent ||= matches(link.startup);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    await closed;
  }

  #accept(client: Socket): void {
    this.#own(client);
    client.once("data", (startup) => {
      const route = this.route(startup);
      if (route === "server") {
        this.#link(client, startup);
      } else if (route !== "nothing") {
        client.write(route);
      }
    });
  }

  #link(client: Socket, startup: Buffer): void {
    const server = connect(this.#target, "127.0.0.1");
    this.#own(server);
    const link: Link = { startup, client, server, silent: false };
    this.#links.add(link);
    server.write(startup);
    carry(link, { from: client, to: server, damageOf: () => undefined, delayMs: () => 0 });
    carry(link, {
      from: server,
      to: client,
      damageOf: (answer) => this.damage(answer),
      delayMs: () => this.delayMs,
    });
    client.once("close", () => this.#links.delete(link));
  }

  #own(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

interface Direction {
  readonly from: Socket;
  readonly to: Socket;
  readonly damageOf: Network["damage"];
  readonly delayMs: () => number;
}

function carry(link: Link, { from, to, damageOf, delayMs }: Direction): void {
  from.on("data", (bytes: Buffer) => {
    if (link.silent) {
      return;
    }
    const damage = damageOf(bytes);
    if (damage === undefined) {
      const ms = delayMs();
      if (ms === 0) {
        to.write(bytes);
      } else {
        setTimeout(() => to.write(bytes), ms);
      }
      return;
    }
    to.write(damage.change(bytes));
    link.silent = damage.after === "silent";
    if (damage.after === "closed") {
      to.end();
    }
  });
  from.once("close", () => {
    if (!link.silent) {
      to.destroy();
    }
  });
}
