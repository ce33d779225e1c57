import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { PgctldError, PgctldErrorCode } from "@multipooler/pgctld";

/**
 * Answers probes: `/live` and `/ready` say that the daemon takes calls. They say nothing of PostgreSQL:
 * a daemon whose PostgreSQL is down has to stay reachable.
 */
export class HttpServer implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Rejects with LISTEN_FAILED. */
  static async listen(where: {
    readonly host: string;
    readonly port: number;
  }): Promise<HttpServer> {
    const server = createServer((request, response) => {
      const known = request.url === "/live" || request.url === "/ready";
      response.writeHead(known ? 200 : 404, { "content-type": "text/plain" });
      response.end(known ? "ok\n" : "not found\n");
    });
    try {
      server.listen(where);
      await once(server, "listening");
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `the HTTP port ${where.host}:${where.port} cannot be listened on: ${reason}`;
      throw new PgctldError(PgctldErrorCode.ListenFailed, message, { cause });
    }
    return new HttpServer(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
