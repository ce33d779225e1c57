import net from "node:net";
import { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { PeerCertificate } from "node:tls";
import { onAbort } from "@multipooler/timing";
import { openEncrypted } from "@multipooler/tls";
import type { TlsSettings } from "@multipooler/tls";
import type { ServerConfig } from "./database-config.ts";
import { FrameGuard } from "./frame-guard.ts";

/**
 * The stream that `pg` speaks through: connects to the configured address, encrypts as the settings say
 * before it emits "connect", and hands on whole, well-formed messages of PostgreSQL only. It breaks with
 * a `FrameFault` at the first that is not, and with a `TlsError` where TLS fails.
 *
 * `pg` takes it for a socket; the methods that it calls on one are here.
 */
export class GuardedStream extends Duplex {
  readonly #config: Pick<ServerConfig, "address" | "tls">;
  readonly #gone = new AbortController();
  #guard: FrameGuard | undefined;
  #socket: net.Socket | undefined;
  #isReferenced = true;

  constructor(config: Pick<ServerConfig, "address" | "tls">) {
    super({ allowHalfOpen: false });
    this.#config = config;
  }

  /** What `pg` names as the address is taken from the same configuration. */
  connect(): this {
    void this.#open();
    return this;
  }

  /** Every connection has it. */
  setNoDelay(): this {
    return this;
  }

  setKeepAlive(enable: boolean, initialDelayMs?: number): this {
    this.#socket?.setKeepAlive(enable, initialDelayMs);
    return this;
  }

  ref(): this {
    this.#isReferenced = true;
    this.#socket?.ref();
    return this;
  }

  unref(): this {
    this.#isReferenced = false;
    this.#socket?.unref();
    return this;
  }

  /** Asked for by `pg` where a login is bound to the certificate. */
  getPeerCertificate(): PeerCertificate | undefined {
    return this.#socket instanceof TLSSocket ? this.#socket.getPeerCertificate() : undefined;
  }

  override _read(): void {
    this.#socket?.resume();
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    if (this.#socket === undefined) {
      done(new Error("nothing can be written before the connection is open"));
    } else {
      this.#socket.write(chunk, done);
    }
  }

  /** `pg` writes a message at a time, and holds those of a query back until all are written. */
  override _writev(
    chunks: readonly { readonly chunk: Buffer }[],
    done: (error?: Error | null) => void,
  ): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), "binary", done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#socket === undefined) {
      done();
    } else {
      this.#socket.end(() => done());
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#gone.abort();
    const socket = this.#socket;
    if (socket === undefined || socket.closed) {
      done(error);
      return;
    }
    socket.once("close", () => done(error));
    socket.destroy();
  }

  async #open(): Promise<void> {
    const { signal } = this.#gone;
    try {
      const tls = this.#config.tls();
      const socket = await this.#dial(tls, signal);
      if (signal.aborted) {
        socket.on("error", () => undefined);
        socket.destroy();
        return;
      }
      this.#guard = new FrameGuard({ mustBind: tls.channelBinding === "require" });
      this.#adopt(socket);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error("no connection", { cause: error }));
    }
  }

  #dial(tls: TlsSettings, signal: AbortSignal): Promise<net.Socket> {
    const { address } = this.#config;
    switch (address.type) {
      case "socket":
        return connected(net.connect({ path: address.path }), signal);
      case "tcp": {
        const { host, port } = address;
        const dial = (): Promise<net.Socket> =>
          connected(net.connect({ host, port, noDelay: true }), signal);
        return openEncrypted({ dial, host, tls, signal });
      }
    }
  }

  #adopt(socket: net.Socket): void {
    this.#socket = socket;
    if (!this.#isReferenced) {
      socket.unref();
    }
    socket.on("data", (chunk: Buffer) => this.#take(chunk, socket));
    socket.once("end", () => this.push(null));
    socket.on("error", (error) => this.destroy(error));
    socket.once("close", () => this.destroy());
    socket.resume();
    this.emit("connect");
  }

  #take(chunk: Buffer, socket: net.Socket): void {
    if (this.destroyed) {
      return;
    }
    try {
      const whole = this.#guard?.accept(chunk);
      // A reader that throws does so from inside `push`.
      if (whole !== undefined && !this.push(whole)) {
        socket.pause();
      }
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error("unreadable", { cause: error }));
    }
  }
}

/** Rejects with the socket's error, or when the signal aborts, and has destroyed the socket then. */
async function connected(socket: net.Socket, signal: AbortSignal): Promise<net.Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("connect", resolve);
  socket.once("error", reject);
  const stopListening = onAbort(signal, ({ reason }) => reject(reason));
  try {
    await promise;
    return socket;
  } catch (error) {
    socket.on("error", () => undefined);
    socket.destroy();
    throw error;
  } finally {
    socket.off("connect", resolve);
    socket.off("error", reject);
    stopListening();
  }
}
