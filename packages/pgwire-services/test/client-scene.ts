import { once } from "node:events";
import { duplexPair } from "node:stream";
import type { Duplex } from "node:stream";
import { LimitedLogger } from "@multipooler/logging";
import { StallWatch, systemClock } from "@multipooler/timing";
import { CancelKeys } from "../src/server/cancel-keys.ts";
import { Client } from "../src/server/client.ts";
import { ClientPlaces } from "../src/server/client-places.ts";
import { LoginFailures } from "../src/server/login-failures.ts";
import { FakeManager } from "./fake-manager.ts";

function noLine(): void {
  // What is logged is not looked at here.
}

/** A client's end of a connection. */
export interface ClientEnd {
  readonly socket: Duplex;
  /** What the server has said so far. */
  readonly received: () => Buffer;
  /** Ends the client's side, and resolves when nothing of the connection is left. */
  readonly leave: () => Promise<void>;
}

/** A server without sockets. */
export class ClientScene {
  readonly manager: FakeManager = new FakeManager();
  readonly places: ClientPlaces = new ClientPlaces({
    maxClients: 1000,
    maxClientsPerUser: 0,
    maxClientsPerDatabase: 0,
  });
  readonly keys: CancelKeys = new CancelKeys();
  /** Faults of the server's own that it has logged. */
  readonly errors: unknown[] = [];
  readonly #logger: LimitedLogger = new LimitedLogger({
    debug: noLine,
    info: noLine,
    warn: noLine,
    error: (...line) => this.errors.push(line),
  });

  /** A connection, as if it had been accepted. */
  connect(): ClientEnd {
    const [near, far] = duplexPair();
    const client = new Client({
      socket: far,
      id: 1,
      ends: { address: "a test", port: 1, localAddress: "", localPort: 2 },
      executor: () => this.manager.queryServiceControl().getExecutor(),
      encryption: undefined,
      tlsRequired: false,
      clientCertificate: "none",
      isTrusted: false,
      places: this.places,
      failures: new LoginFailures({
        loginFailureLimit: 20,
        loginFailureWindowMs: 1000,
        clock: systemClock,
      }),
      console: undefined,
      keys: this.keys,
      stalls: new StallWatch({ clock: systemClock, limitMs: 0 }),
      loginTimeoutMs: 10_000,
      failedLoginDelayMs: 0,
      maxMessageBytes: 1024,
      clock: systemClock,
      logger: this.#logger,
    });
    const answers: Buffer[] = [];
    near.on("data", (chunk: Buffer) => answers.push(chunk));
    near.on("error", noLine);
    const gone = client.run();
    return {
      socket: near,
      received: () => Buffer.concat(answers),
      leave: async () => {
        near.end();
        await gone;
        if (!near.closed) {
          near.destroy();
          await once(near, "close");
        }
      },
    };
  }
}
