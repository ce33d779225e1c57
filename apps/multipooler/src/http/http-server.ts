import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { LimitedLogger } from "@multipooler/logging";
import type { Logger } from "@multipooler/logging";
import { errorAnswer, sendAnswer } from "./http-answer.ts";
import type { HttpAnswer } from "./http-answer.ts";
import type { HttpTls } from "./http-tls.ts";
import type { Route, Routes } from "./route.ts";

const METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"];
const ALLOW = { allow: METHODS.join(", ") };
const TIMEOUTS = { requestTimeout: 5000, headersTimeout: 5000 };
const NO_CONTENT: HttpAnswer = { status: 204, body: "", headers: {} };

export interface HttpServerOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Beyond it the server closes the least recently used connection. */
  readonly maxConnections: number;
  readonly routes: Routes;
  /** `undefined`: connections are not encrypted. */
  readonly tls: HttpTls | undefined;
  readonly logger: Logger;
}

/** Answers GET, HEAD and OPTIONS at the paths of its routes, and what else is asked with an error in JSON. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #server: Server;
  readonly #logger: LimitedLogger;
  /**
   * Connections by the address of the client, least recently used first. With TLS a request has another
   * socket than the connection.
   */
  readonly #sockets = new Map<string, Socket>();

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#logger = new LimitedLogger(options.logger);
    const { tls } = options;
    this.#server = tls === undefined ? createServer(TIMEOUTS) : tls.createServer(TIMEOUTS);
    this.#server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      this.#use(request.socket);
      void this.#serve(request, response);
    });
    this.#server.on("connection", (socket: Socket) => this.#add(socket));
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
    // Those too that are in the handshake of TLS.
    for (const socket of this.#sockets.values()) {
      socket.destroy();
    }
    await promise;
    this.#logger.flush();
    this.#options.tls?.close();
  }

  /**
   * Makes room for a probe when the limit is reached. A stream keeps its connection; other requests are
   * answered at once, so that none is cut.
   */
  #add(socket: Socket): void {
    const client = clientOf(socket);
    socket.once("close", () => this.#sockets.delete(client));
    this.#sockets.set(client, socket);
    const [oldest] = this.#sockets;
    if (oldest !== undefined && this.#sockets.size > this.#options.maxConnections) {
      this.#sockets.delete(oldest[0]);
      oldest[1].destroy();
    }
  }

  #use(used: Socket): void {
    const client = clientOf(used);
    const socket = this.#sockets.get(client);
    if (socket !== undefined) {
      this.#sockets.delete(client);
      this.#sockets.set(client, socket);
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "" } = request;
    // Not `new URL`: it throws for targets such as "//", which any client can send.
    const [path = "", query] = (request.url ?? "").split("?", 2);
    const route = this.#options.routes.get(path);
    const refusal = this.#options.tls?.refusal(request, route);
    if (refusal !== undefined) {
      const answer = errorAnswer(403, { code: "CERTIFICATE_REQUIRED", error: refusal });
      sendAnswer(response, answer);
    } else if (!METHODS.includes(method)) {
      const error = `${method} is not allowed; there are ${ALLOW.allow}`;
      sendAnswer(response, errorAnswer(405, { code: "METHOD_NOT_ALLOWED", error }, ALLOW));
    } else if (route === undefined) {
      sendAnswer(response, unknownPath(this.#options.routes));
    } else if (route.type === "stream" && method === "GET") {
      route.open(response);
      // One that was refused has its answer, and its connection goes on like those of other requests.
      if (!response.writableEnded) {
        this.#sockets.delete(clientOf(request.socket));
      }
    } else {
      sendAnswer(response, await this.#answer(route, method, new URLSearchParams(query)));
    }
  }

  async #answer(route: Route, method: string, query: URLSearchParams): Promise<HttpAnswer> {
    try {
      return method === "OPTIONS" ? optionsOf(route, query) : await answerOf(route, query);
    } catch (err) {
      this.#logger.error({ err }, "an HTTP request could not be answered");
      return errorAnswer(500, { code: "INTERNAL", error: "the log says why" });
    }
  }
}

async function answerOf(route: Route, query: URLSearchParams): Promise<HttpAnswer> {
  switch (route.type) {
    case "check":
      return route.answer({ query });
    case "page":
      return await route.answer();
    case "stream":
      // HEAD.
      return NO_CONTENT;
  }
}

function optionsOf(route: Route, query: URLSearchParams): HttpAnswer {
  const answer = route.type === "page" ? route.options : undefined;
  const check = route.type === "check" ? route.answer : answer;
  const { headers, ...rest } = check?.({ query }) ?? NO_CONTENT;
  return { ...rest, headers: { ...headers, ...ALLOW } };
}

function unknownPath(routes: Routes): HttpAnswer {
  const error = "there is nothing at this path";
  // Without the files of the page.
  const known = [...routes.keys()].filter((path) => !path.includes("."));
  return errorAnswer(404, { code: "UNKNOWN_PATH", error, try: known });
}

function clientOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function isAddressInfo(address: ReturnType<Server["address"]>): address is AddressInfo {
  return typeof address === "object" && address !== null;
}
