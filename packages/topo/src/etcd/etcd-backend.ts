import { systemClock } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import type { Backend, KeyValueStore } from "../key-value.ts";
import { Endpoints } from "./endpoints.ts";
import type { EtcdCredentials, EtcdTlsFiles } from "./etcd-options.ts";
import { EtcdStore } from "./etcd-store.ts";

/** Apply to every cluster that a topology uses. */
export interface EtcdBackendOptions {
  /** Speak TLS, with these files. An address that begins with `https://` asks for TLS too. */
  readonly tls?: EtcdTlsFiles | undefined;
  /** Log in; without it, the cluster must not ask for it. */
  readonly credentials?: EtcdCredentials | undefined;
  readonly clock?: Clock | undefined;
  /** A number from 0 up to 1, for the jitter between attempts. */
  readonly random?: (() => number) | undefined;
}

/** Topologies on etcd, version 3.4 or later. */
export class EtcdBackend implements Backend {
  readonly #options: EtcdBackendOptions;

  constructor(options: EtcdBackendOptions = {}) {
    this.#options = options;
  }

  /** `serverAddresses`: the members of one cluster, each `host:port`. */
  connect(serverAddresses: readonly string[]): KeyValueStore {
    const { tls, credentials, clock = systemClock, random = Math.random } = this.#options;
    const endpoints = new Endpoints({ addresses: serverAddresses, tls });
    return new EtcdStore({ endpoints, credentials, clock, random });
  }
}
