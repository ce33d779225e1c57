import { connect } from "../src/client/index.ts";
import type { PoolerClient } from "../src/client/index.ts";
import { GrpcServer } from "../src/server/grpc-server.ts";
import type { GrpcServerOptions } from "../src/server/grpc-server.ts";
import { FakeManager } from "./fake-manager.ts";

/** What was logged: level, message and fields. */
export type LogLine = readonly [level: string, message: string, fields: object];

/** A server on a port of its own, with a client; both are closed at the end of the test. */
export interface TestServer extends AsyncDisposable {
  readonly server: GrpcServer;
  readonly manager: FakeManager;
  readonly client: PoolerClient;
  readonly address: string;
  readonly log: readonly LogLine[];
}

export async function startServer(options: Partial<GrpcServerOptions> = {}): Promise<TestServer> {
  const manager = new FakeManager();
  const log: LogLine[] = [];
  const logAs = (level: string) => (fields: object, message: string) => {
    log.push([level, message, fields]);
  };
  const logger = {
    debug: logAs("debug"),
    info: logAs("info"),
    warn: logAs("warn"),
    error: logAs("error"),
  };
  const server = new GrpcServer({
    manager,
    host: "127.0.0.1",
    port: 0,
    version: "1.2.3",
    logger,
    ...options,
  });
  server.offer("query");
  server.offer("manager");
  server.offer("consensus");
  server.offer("health");
  await server.listen();
  const address = `127.0.0.1:${server.port}`;
  const client = connect({ address, maxMessageBytes: options.maxMessageBytes });
  return {
    server,
    manager,
    client,
    address,
    log,
    async [Symbol.asyncDispose]() {
      client.close();
      await server.close({ signal: AbortSignal.timeout(2000) });
    },
  };
}
