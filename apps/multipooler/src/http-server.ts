import { createServer } from "node:http";
import type { Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { EffectiveSetting } from "./settings/effective-settings.ts";
import { buildVersion } from "./version.ts";

const PATHS = ["/live", "/ready", "/metrics", "/config", "/version"] as const;
/** The text format of Prometheus. */
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Whether the pooler can serve, and the reason if not. */
export interface Readiness {
  readonly ready: boolean;
  /** Further members of the JSON answer, e.g. state and reason. */
  readonly details: Readonly<Record<string, unknown>>;
}

export interface HttpServerOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Beyond it the server closes the least recently used connection. */
  readonly maxConnections: number;
  /** What `/config` shows. */
  readonly settings: readonly EffectiveSetting[];
  /** Called for each request to `/ready`; must not block. */
  readonly readiness: () => Readiness;
  /** The metrics, as Prometheus reads them. */
  readonly metrics: () => Promise<string>;
}

/**
 * Serves the probes: `/live` answers 200 as soon as the process listens, `/ready` 200 or 503 with the
 * reason, `/config` what is configured and where, without secrets, `/version` the versions of the program
 * and of Node. These answers are JSON; that of `/metrics` is the text that Prometheus reads.
 */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #server: Server;
  /** Least recently used first. */
  readonly #sockets = new Set<Socket>();

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#server = createServer(
      { requestTimeout: 5000, headersTimeout: 5000 },
      (request, response) => {
        // Not `new URL`: it throws for targets such as "//", which any client can send.
        const [pathname = "/"] = (request.url ?? "/").split("?", 1);
        if (request.method !== "GET" && request.method !== "HEAD") {
          response.setHeader("allow", "GET, HEAD");
          answer(response, 405, { error: `${request.method} is not allowed` });
          return;
        }
        this.#use(request.socket);
        this.#route(pathname, response);
      },
    );
    this.#server.on("connection", (socket: Socket) => {
      socket.once("close", () => this.#sockets.delete(socket));
      this.#use(socket);
    });
  }

  /** Rejects with Node's error (`EADDRINUSE`, `EACCES`, …) when it cannot listen. */
  async listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen({ host: this.#options.host, port: this.#options.port }, resolve);
    try {
      await promise;
    } finally {
      this.#server.off("error", reject);
    }
  }

  /** The port the server listens on; the configured one before that. */
  get port(): number {
    const address = this.#server.address();
    return isAddressInfo(address) ? address.port : this.#options.port;
  }

  /** Idempotent. Closes idle connections too. */
  async close(): Promise<void> {
    if (!this.#server.listening) {
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }

  /** Makes room for a probe when the limit is reached. Requests are answered at once, so none is cut. */
  #use(socket: Socket): void {
    this.#sockets.delete(socket);
    this.#sockets.add(socket);
    const [oldest] = this.#sockets;
    if (oldest !== undefined && this.#sockets.size > this.#options.maxConnections) {
      this.#sockets.delete(oldest);
      oldest.destroy();
    }
  }

  #route(pathname: string, response: ServerResponse): void {
    switch (pathname) {
      case "/live":
        answer(response, 200, { live: true });
        return;
      case "/ready": {
        const { ready, details } = this.#options.readiness();
        answer(response, ready ? 200 : 503, { ready, ...details });
        return;
      }
      case "/metrics":
        void this.#answerMetrics(response);
        return;
      case "/config":
        answer(response, 200, { settings: this.#options.settings }, {});
        return;
      case "/version":
        answer(response, 200, buildVersion);
        return;
      default:
        answer(response, 404, { error: "not found", try: PATHS });
    }
  }

  async #answerMetrics(response: ServerResponse): Promise<void> {
    try {
      const headers = { "content-type": METRICS_TYPE, ...FOR_ALL_ORIGINS };
      send(response, 200, await this.#options.metrics(), headers);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      answer(response, 500, { error: why });
    }
  }
}

function isAddressInfo(address: ReturnType<Server["address"]>): address is AddressInfo {
  return typeof address === "object" && address !== null;
}

/** What probes tell, a page of any origin may read. */
const FOR_ALL_ORIGINS = { "access-control-allow-origin": "*" };

function answer(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = FOR_ALL_ORIGINS,
): void {
  const type = "application/json; charset=utf-8";
  send(response, status, `${JSON.stringify(body)}\n`, { "content-type": type, ...headers });
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, {
    "cache-control": "no-store",
    ...headers,
  });
  response.end(response.req.method === "HEAD" ? undefined : body);
}
