import { ServerCredentials } from "@grpc/grpc-js";
import type { Server } from "@grpc/grpc-js";
import { GrpcServicesError, GrpcServicesErrorCode } from "./error.ts";
import { hostAndPort } from "./host-and-port.ts";

/** How a {@link BoundPort} is opened. */
export interface BindOptions {
  readonly server: Server;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

/** The port of one grpc-js server, from bind to shutdown. Such a server cannot be used twice. */
export class BoundPort {
  readonly port: number;
  readonly #server: Server;
  readonly #address: string;

  private constructor({ server, host, port }: BindOptions) {
    this.port = port;
    this.#server = server;
    this.#address = hostAndPort(host, port);
  }

  /** Rejects with LISTEN_FAILED, which names the address. */
  static async bind({ server, host, port }: BindOptions): Promise<BoundPort> {
    const address = hostAndPort(host, port);
    try {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
      return new BoundPort({ server, host, port: await promise });
    } catch (error) {
      throw new GrpcServicesError(
        GrpcServicesErrorCode.ListenFailed,
        `cannot listen for gRPC on ${address}: ${bindFault(error)}`,
        { cause: error },
      );
    }
  }

  /** Stops accepting and resolves when the last connection is closed, calls on it included. */
  async shutDown(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.tryShutdown(() => resolve());
    await promise;
  }

  /** Cuts what is still connected. */
  cut(): void {
    // Not `forceShutdown`: with channelz off it forgets the connections, which then stay open.
    this.#server.drain(this.#address, 0);
  }
}

/** What the system said: grpc-js puts the errors of all addresses into brackets at the end. */
function bindFault(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return /errors: \[(.+)\]$/u.exec(text)?.[1] ?? text;
}
