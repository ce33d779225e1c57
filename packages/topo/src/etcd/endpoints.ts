import { readFile } from "node:fs/promises";
import { Client, connectivityState, credentials } from "@grpc/grpc-js";
import type { ChannelCredentials } from "@grpc/grpc-js";
import { onAbort } from "@multipooler/timing";
import { TopoError, TopoErrorCode, interruption } from "../error.ts";
import type { EtcdTlsFiles } from "./etcd-options.ts";

/** How long one endpoint may take to connect, in milliseconds, before the next one is tried. */
const CONNECT_TIMEOUT_MS = 2000;

const CHANNEL_OPTIONS = {
  // A list answers as much as is stored.
  "grpc.max_receive_message_length": -1,
  // A dead connection is noticed within 13 seconds. etcd allows a ping every 5.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 3000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
  // Connections end with the store that made them.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_http_proxy": 0,
};

/** `host:port`, with an IPv6 address in brackets, after an optional scheme. */
const ADDRESS_FORM = /^(?:https?:\/\/)?(?:\[[\da-f:.]+\]|[^\s/:[\]]+):\d{1,5}$/iu;

export interface EndpointsOptions {
  /** Each `host:port`, optionally after `http://` or `https://`. */
  readonly addresses: readonly string[];
  readonly tls: EtcdTlsFiles | undefined;
}

/** The members of a cluster, one of which is in use until it fails. */
export class Endpoints {
  readonly #addresses: readonly string[];
  readonly #tls: EtcdTlsFiles | undefined;
  readonly #clients = new Map<string, Client>();
  #current = 0;
  #credentials: Promise<ChannelCredentials> | undefined;
  #closed = false;

  constructor({ addresses, tls }: EndpointsOptions) {
    if (addresses.length === 0) {
      throw refusal("", "no address of an etcd server is given");
    }
    for (const address of addresses) {
      if (!ADDRESS_FORM.test(address)) {
        throw refusal(address, "not host:port of an etcd server");
      }
    }
    const secure = addresses.some((address) => address.startsWith("https://"));
    this.#addresses = addresses.map((address) => address.replace(/^https?:\/\//u, ""));
    this.#tls = tls ?? (secure ? {} : undefined);
  }

  /** The addresses, for errors. */
  get name(): string {
    return this.#addresses.join(", ");
  }

  /**
   * A client that is connected, for work on `key`. Connecting has no effect on the server, so every
   * endpoint is tried once; UNAVAILABLE where none connects.
   */
  async connected(key: string, signal: AbortSignal): Promise<Client> {
    for (const _ of this.#addresses) {
      const client = await this.#client();
      if (await connects(client, signal)) {
        return client;
      }
      if (signal.aborted) {
        throw interruption(key, signal);
      }
      this.failed(client);
    }
    const message = `no etcd server answers at ${this.name}`;
    throw new TopoError({ code: TopoErrorCode.Unavailable, key, message });
  }

  /** Takes the next endpoint from now on, unless that has happened since `client` was given out. */
  failed(client: Client): void {
    const address = this.#addresses[this.#current];
    if (address === undefined || this.#clients.get(address) !== client) {
      return;
    }
    this.#current = (this.#current + 1) % this.#addresses.length;
  }

  close(): void {
    this.#closed = true;
    for (const client of this.#clients.values()) {
      client.close();
    }
    this.#clients.clear();
  }

  async #client(): Promise<Client> {
    this.#credentials ??= readCredentials(this.#tls).catch((error: unknown) => {
      this.#credentials = undefined;
      throw error;
    });
    const channelCredentials = await this.#credentials;
    const address = this.#addresses[this.#current] ?? "";
    const known = this.#clients.get(address);
    if (known !== undefined) {
      return known;
    }
    const client = new Client(`dns:${address}`, channelCredentials, CHANNEL_OPTIONS);
    this.#clients.set(address, client);
    if (this.#closed) {
      this.close();
    }
    return client;
  }
}

/** Whether `client` is connected, now or after the attempt under way. */
async function connects(client: Client, signal: AbortSignal): Promise<boolean> {
  const channel = client.getChannel();
  const deadline = Date.now() + CONNECT_TIMEOUT_MS;
  while (!signal.aborted && Date.now() < deadline) {
    const state = channel.getConnectivityState(true);
    if (state === connectivityState.READY) {
      return true;
    }
    if (state === connectivityState.TRANSIENT_FAILURE) {
      return false;
    }
    if (state === connectivityState.SHUTDOWN) {
      return false;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = (): void => resolve();
    channel.watchConnectivityState(state, deadline, done);
    const stopListening = onAbort(signal, done);
    await promise;
    stopListening();
  }
  return false;
}

async function readCredentials(tls: EtcdTlsFiles | undefined): Promise<ChannelCredentials> {
  if (tls === undefined) {
    return credentials.createInsecure();
  }
  const read = (file: string | undefined): Promise<Buffer | null> =>
    file === undefined ? Promise.resolve(null) : readPem(file);
  const [ca, key, cert] = await Promise.all([tls.caFile, tls.keyFile, tls.certFile].map(read));
  return credentials.createSsl(ca, key, cert);
}

async function readPem(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw refusal(file, `cannot be read: ${reason}`, cause);
  }
}

function refusal(key: string, message: string, cause?: unknown): TopoError {
  return new TopoError({ code: TopoErrorCode.InvalidArgument, key, message, cause });
}
