import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { TLSSocket, createSecureContext } from "node:tls";
import { openEncrypted } from "@multipooler/tls";
import type { PemIdentity } from "@multipooler/tls-identities";
import type { ServerAddress } from "../src/connection/connect-options.ts";
import { dial } from "../src/connection/dial.ts";

/** Somebody in between: decrypts what clients say, and encrypts it again for the server. */
export class TlsInterceptor implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: ServerAddress, identity: PemIdentity) {
    this.#server = createServer((client) => void this.#serve(client, target, identity));
  }

  static async start(target: ServerAddress, identity: PemIdentity): Promise<TlsInterceptor> {
    const interceptor = new TlsInterceptor(target, identity);
    interceptor.#server.listen(0, "127.0.0.1");
    await once(interceptor.#server, "listening");
    return interceptor;
  }

  get address(): ServerAddress {
    const address: AddressInfo | string | null = this.#server.address();
    if (address === null || typeof address === "string") {
      throw new Error("the interceptor does not listen");
    }
    return { type: "tcp", host: "127.0.0.1", port: address.port };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    this.#server.close();
    await once(this.#server, "close");
  }

  async #serve(client: Socket, target: ServerAddress, identity: PemIdentity): Promise<void> {
    this.#own(client);
    await once(client, "data");
    client.pause();
    client.write("S");
    const secure = new TLSSocket(client, {
      isServer: true,
      secureContext: createSecureContext(identity),
    });
    this.#own(secure);
    const server = await openEncrypted({
      dial: () => dial({ address: target, tls: undefined }),
      host: "127.0.0.1",
      tls: { mode: "require" },
    });
    this.#own(server);
    secure.pipe(server).pipe(secure);
  }

  #own(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
  }
}
