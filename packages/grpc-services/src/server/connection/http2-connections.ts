import { createServer } from "node:http2";
import type {
  Http2Server,
  IncomingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "@multipooler/timing";
import { Http2Connection } from "./http2-connection.ts";
import type { ConnectionTimes } from "./http2-connection.ts";

export interface Http2ConnectionsOptions {
  /** Asked for each connection. */
  readonly times: () => ConnectionTimes;
  readonly onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;
  readonly clock: Clock;
  readonly random: () => number;
}

/** The most that HTTP/2 can say: a gateway has one connection, and a stream for each statement. */
const UNLIMITED_STREAMS = 0xffff_ffff;
/**
 * How many streams a client may cancel at once, and how many a second after that. Beyond Node's own
 * limits, 1000 and 33, the whole connection is closed. A gateway has one for all its statements: when
 * a database stalls and a thousand of them reach their timeout together, that is no attack.
 */
const RESET_LIMIT = { streamResetBurst: 100_000, streamResetRate: 10_000 };

/** Speaks HTTP/2 on connections that others have accepted. */
export class Http2Connections {
  readonly #server: Http2Server;
  readonly #connections = new Map<ServerHttp2Session, Http2Connection>();
  readonly #idle = Promise.withResolvers<void>();
  #isClosing = false;

  constructor({ times, onStream, clock, random }: Http2ConnectionsOptions) {
    this.#server = createServer({
      ...RESET_LIMIT,
      settings: { maxConcurrentStreams: UNLIMITED_STREAMS },
      // What waits in memory is bounded for each call, and for all together.
      maxSessionMemory: Number.MAX_SAFE_INTEGER,
      // The details of an error are within what peers take.
      maxSendHeaderBlockLength: Number.MAX_SAFE_INTEGER,
    });
    this.#server.on("stream", onStream);
    this.#server.on("session", (session) => {
      const connection = new Http2Connection({ session, times: times(), clock, random });
      this.#connections.set(session, connection);
      session.once("close", () => this.#onEnd(session));
      if (this.#isClosing) {
        connection.close();
      }
    });
  }

  accept(socket: Socket): void {
    this.#server.emit("connection", socket);
  }

  /** Asks the clients that are connected to connect again, and lets their running calls end. */
  leave(): void {
    for (const connection of this.#connections.values()) {
      connection.close();
    }
  }

  /** Lets running calls end. Resolves when no connection is left. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.leave();
    if (this.#connections.size > 0) {
      await this.#idle.promise;
    }
  }

  #onEnd(session: ServerHttp2Session): void {
    this.#connections.delete(session);
    if (this.#isClosing && this.#connections.size === 0) {
      this.#idle.resolve();
    }
  }
}
