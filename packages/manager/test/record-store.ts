import { renameSync, rmSync } from "node:fs";
import { cp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { startEtcd } from "@multipooler/embedded-etcd";
import { Topology } from "@multipooler/topo";
import type { Backend } from "@multipooler/topo";
import { EtcdBackend } from "@multipooler/topo/etcd";
import { MemoryTopology } from "@multipooler/topo/memory";
import { SqliteBackend } from "@multipooler/topo/sqlite";
import { temporaryDir } from "./temporary-dir.ts";

/** A real store whose data a test can take away. */
export interface RecordStore extends AsyncDisposable {
  readonly backend: Backend;
  readonly address: string;
  /** Loses everything, as a disk does. */
  lose(): Promise<void>;
  /** Keeps a copy; the function that it returns puts the copy in place of what is there then. */
  backUp(): Promise<() => Promise<void>>;
}

export const ROOT = "/test";

/** A topology of its own, as another process would have. */
export function connect({ backend, address }: RecordStore): Topology {
  return new Topology({ backend, serverAddresses: [address], root: `${ROOT}/global` });
}

export async function memoryStore(): Promise<RecordStore> {
  const backend = new MemoryTopology();
  const address = "memory";
  const store = backend.connect([address]);
  return {
    backend,
    address,
    lose: async () => backend.forget(),
    backUp: async () => {
      // A session does not outlive what happens here, so neither does what is bound to one.
      const kept = (await store.list("/")).filter(({ key }) => !key.includes("/owners/"));
      return async () => {
        backend.forget();
        for (const { key, value } of kept) {
          await store.put(key, value);
        }
      };
    },
    [Symbol.asyncDispose]: () => store.close(),
  };
}

export async function sqliteStore(): Promise<RecordStore> {
  const directory = await temporaryDir();
  const address = join(directory.path, "topology.db");
  const backup = join(directory.path, "backup.db");
  // At once, so that no connection of this process opens the file in between: SQLite would take the
  // log of one file for that of the next.
  const removeLogs = (): void => {
    rmSync(`${address}-wal`, { force: true });
    rmSync(`${address}-shm`, { force: true });
  };
  return {
    backend: new SqliteBackend(),
    address,
    lose: async () => {
      rmSync(address);
      removeLogs();
    },
    backUp: async () => {
      const database = new DatabaseSync(address);
      database.exec(`vacuum into '${backup}'`);
      database.close();
      return async () => {
        removeLogs();
        renameSync(backup, address);
      };
    },
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

export async function etcdStore(): Promise<RecordStore> {
  const etcd = await startEtcd();
  const member = join(etcd.dataDir, "member");
  const backup = join(etcd.dataDir, "backup");
  return {
    backend: new EtcdBackend(),
    address: etcd.address,
    lose: async () => {
      await etcd.kill();
      await rm(member, { recursive: true });
      await etcd.start();
    },
    backUp: async () => {
      await etcd.stop();
      await cp(member, backup, { recursive: true });
      await etcd.start();
      return async () => {
        await etcd.kill();
        await rm(member, { recursive: true });
        await rename(backup, member);
        await etcd.start();
      };
    },
    [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose](),
  };
}
