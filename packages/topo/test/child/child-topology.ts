import { EtcdBackend } from "../../src/etcd/index.ts";
import { Topology } from "../../src/index.ts";
import { SqliteBackend } from "../../src/sqlite/index.ts";

/** What every key of the topology begins with. */
export const ROOT = "/children";

/** One client of the topology that this process was started for: see `RunningChild`. */
export function connect(): Topology {
  const [backend, serverAddress = ""] = process.argv.slice(2);
  return new Topology({
    backend: backend === "etcd" ? new EtcdBackend() : new SqliteBackend(),
    serverAddresses: [serverAddress],
    root: ROOT,
  });
}

/** The number that this process was started with. */
export function argument(): number {
  return Number(process.argv[4]);
}
