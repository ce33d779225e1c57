import type { PoolerService } from "@multipooler/manager";
import { BackendConnection } from "@multipooler/pgwire";
import type { ConnectOptions } from "@multipooler/pgwire";
import { PgwireServer } from "../src/server/pgwire-server.ts";
import type { PgwireServerOptions } from "../src/server/pgwire-server-options.ts";
import { FakeManager, PASSWORD } from "./fake-manager.ts";
import { startup } from "./frontend.ts";
import { RawClient } from "./raw-client.ts";

/** How long something may take to show. */
export const PATIENCE = { timeout: 10_000 } as const;

/** What was logged: level, message and fields. */
export type LogLine = readonly [level: string, message: string, fields: object];

/** A server on a port of its own, with a fake pooler behind it. */
export class TestServer implements AsyncDisposable {
  readonly manager: FakeManager = new FakeManager();
  readonly log: LogLine[] = [];
  readonly server: PgwireServer;

  private constructor(options: Partial<PgwireServerOptions>) {
    const logAs = (level: string) => (fields: object, message: string) => {
      this.log.push([level, message, fields]);
    };
    this.server = new PgwireServer({
      manager: this.manager,
      host: "127.0.0.1",
      port: 0,
      failedLoginDelayMs: 0,
      logger: {
        debug: logAs("debug"),
        info: logAs("info"),
        warn: logAs("warn"),
        error: logAs("error"),
      },
      ...options,
    });
  }

  static async start({
    offers = "session",
    ...options
  }: Partial<PgwireServerOptions> & { readonly offers?: PoolerService } = {}): Promise<TestServer> {
    const started = new TestServer(options);
    started.server.offer(offers);
    await started.server.listen();
    return started;
  }

  get port(): number {
    if (this.server.port === undefined) {
      throw new Error("the server does not listen");
    }
    return this.server.port;
  }

  async connect(): Promise<RawClient> {
    return await RawClient.connect(this.port);
  }

  /** A client that is logged in; the server has to trust it. */
  async client(
    parameters: Readonly<Record<string, string>> = { user: "alice" },
  ): Promise<RawClient> {
    const client = await this.connect();
    client.send(startup(parameters));
    await client.answers();
    return client;
  }

  /** Logs in with our own client of the protocol. */
  async logIn(options: Partial<ConnectOptions> = {}): Promise<BackendConnection> {
    return await BackendConnection.connect({
      address: { type: "tcp", host: "127.0.0.1", port: this.port },
      user: "alice",
      database: "app",
      credential: () => Promise.resolve({ type: "password", password: PASSWORD }),
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close({ signal: AbortSignal.timeout(2000) });
  }
}
