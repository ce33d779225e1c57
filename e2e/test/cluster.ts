import { startEtcd } from "@multipooler/embedded-etcd";
import type { EmbeddedEtcd } from "@multipooler/embedded-etcd";
import { startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { ID_ComponentType, TopoErrorCode, Topology, isTopoError } from "@multipooler/topo";
import type { Multipooler } from "@multipooler/topo";
import { EtcdBackend } from "@multipooler/topo/etcd";
import { flagsFor } from "./flags.ts";
import { inEtcd } from "./topology-flags.ts";

const READY_LIMIT_MS = 20_000;

/** A PostgreSQL and an etcd of a test's own, and the poolers between them. All end with it. */
export class Cluster implements AsyncDisposable {
  readonly postgres: TestPostgres;
  readonly etcd: EmbeddedEtcd;
  readonly #parts: AsyncDisposableStack;

  constructor(postgres: TestPostgres, etcd: EmbeddedEtcd, parts: AsyncDisposableStack) {
    this.postgres = postgres;
    this.etcd = etcd;
    this.#parts = parts;
  }

  static async start(): Promise<Cluster> {
    await using parts = new AsyncDisposableStack();
    const postgres = parts.use(await startPostgres());
    const etcd = parts.use(await startEtcd());
    return new Cluster(postgres, etcd, parts.move());
  }

  /** Starts a pooler, of type primary unless a flag says otherwise, and waits until it serves. */
  async startPooler(flags: Record<string, string> = {}): Promise<PoolerProcess> {
    const all = { ...flagsFor(this.postgres), ...inEtcd(this.etcd), ...flags };
    const pooler = this.#parts.use(startPooler({ flags: all }));
    await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
    return pooler;
  }

  /** The record of the pooler, as another reader of etcd has it; `undefined` for none. */
  async record(): Promise<Multipooler | undefined> {
    const backend = new EtcdBackend();
    const serverAddresses = [this.etcd.address];
    const topology = new Topology({ backend, serverAddresses, root: "/multigres/global" });
    try {
      const id = { component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name: "e2e" };
      return (await topology.cell(id.cell).poolers.get(id)).record;
    } catch (error) {
      if (isTopoError(error, TopoErrorCode.NoNode)) {
        return undefined;
      }
      throw error;
    } finally {
      await topology.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}
