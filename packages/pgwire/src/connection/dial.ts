import { connect } from "node:net";
import type { Socket } from "node:net";
import { onAbort } from "@multipooler/timing";
import { openEncrypted, TlsError } from "@multipooler/tls";
import type { TlsSettings } from "@multipooler/tls";
import type { CallOptions, ServerAddress } from "./connect-options.ts";
import { abortedError, PgwireError, PgwireErrorCode } from "../error.ts";

/** How long a silent TCP connection is believed in before the system probes it. */
const KEEP_ALIVE_DELAY_MS = 15_000;

/** Where to dial, and how the connection is encrypted if it is one of TCP. */
export interface DialOptions {
  readonly address: ServerAddress;
  readonly tls: TlsSettings | undefined;
}

/**
 * Opens a socket to a server, encrypted as `tls` says. The caller owns it from then on and has to
 * listen to its errors.
 *
 * Rejects with CONNECT_FAILED, TLS_FAILED or ABORTED, and has destroyed the socket then.
 */
export async function dial(
  { address, tls }: DialOptions,
  { signal }: CallOptions = {},
): Promise<Socket> {
  if (address.type === "socket" || tls === undefined) {
    return await dialPlain(address, { signal });
  }
  try {
    return await openEncrypted({
      dial: () => dialPlain(address, { signal }),
      host: address.host,
      tls,
      signal,
    });
  } catch (error) {
    if (signal?.aborted === true) {
      throw abortedError(`connecting to ${addressText(address)}`, signal);
    }
    if (error instanceof TlsError) {
      const message = `cannot connect to ${addressText(address)}: ${error.message}`;
      throw new PgwireError(PgwireErrorCode.TlsFailed, message, { cause: error });
    }
    throw error;
  }
}

async function dialPlain(address: ServerAddress, { signal }: CallOptions): Promise<Socket> {
  const where = addressText(address);
  if (signal?.aborted === true) {
    throw abortedError(`connecting to ${where}`, signal);
  }
  const socket = openSocket(address);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onError = (cause: Error): void => reject(connectFailed(where, cause));
  socket.once("connect", resolve);
  socket.once("error", onError);
  const stopListening = onAbort(signal, (aborted) => {
    reject(abortedError(`connecting to ${where}`, aborted));
  });
  try {
    await promise;
    return socket;
  } catch (error) {
    // Without a listener, an error that comes after an abort would end the process.
    socket.on("error", () => undefined);
    socket.destroy();
    throw error;
  } finally {
    stopListening();
    socket.off("connect", resolve);
    socket.off("error", onError);
  }
}

function openSocket(address: ServerAddress): Socket {
  switch (address.type) {
    case "socket":
      return connect({ path: address.path });
    case "tcp":
      return connect({
        host: address.host,
        port: address.port,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
      });
  }
}

function connectFailed(where: string, cause: Error): PgwireError {
  // Where a name has several addresses and all of them failed, Node's error has no message.
  const reason = cause.message === "" && "code" in cause ? String(cause.code) : cause.message;
  const message = `cannot connect to ${where}: ${reason}`;
  return new PgwireError(PgwireErrorCode.ConnectFailed, message, { cause });
}

function addressText(address: ServerAddress): string {
  return address.type === "socket" ? address.path : `${address.host}:${address.port}`;
}
