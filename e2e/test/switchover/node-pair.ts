import { existsSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { embeddedBinDir } from "@multipooler/pgctld";
import { binariesModule } from "@multipooler/postgres-binaries";
import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import { SynchronousCommitLevel, SynchronousMethod } from "@multipooler/proto/replication-v1";
import type { SynchronousReplicationConfiguration } from "@multipooler/proto/replication-v1";
import { ClusterNode } from "./cluster-node.ts";
import type { NodeOptions } from "./cluster-node.ts";

const DEBIAN = "/usr/lib/postgresql/15/bin";

/** The programs of PostgreSQL 17, which are always there. */
export const EMBEDDED: string = await embeddedBinDir(binariesModule);

/** PostgreSQL 17, and Debian's 15; `programs` is `undefined` where that is not installed. */
export const VERSIONS: readonly { readonly version: string; readonly programs?: string }[] = [
  { version: "17", programs: EMBEDDED },
  { version: "15", ...(existsSync(DEBIAN) && { programs: DEBIAN }) },
];

/** A primary in term 1, and a standby that follows it; each commit waits for the other. */
export type NodePair = readonly [primary: ClusterNode, standby: ClusterNode];

/** Starts a pair `a` and `b`, with a table `kept`. The parts dispose of it. */
export async function startPair(
  options: Omit<NodeOptions, "name">,
  parts: AsyncDisposableStack,
): Promise<NodePair> {
  await chmod(options.directory, 0o711);
  const a = parts.use(await ClusterNode.start({ ...options, name: "a" }));
  await a.sql("create table kept (id int primary key)");
  await a.client.consensus.setTerm({ term: { termNumber: 1n } });
  const b = await startStandby({ ...options, name: "b" }, a, parts);
  const configuration = waitFor(b);
  await a.client.replication.configureSynchronousReplication({ configuration });
  return [a, b];
}

/** Starts a standby that follows the primary in its term. The parts dispose of it. */
async function startStandby(
  options: NodeOptions,
  primary: ClusterNode,
  parts: AsyncDisposableStack,
): Promise<ClusterNode> {
  const standby = parts.use(await ClusterNode.start(options, primary));
  const { term } = await primary.client.consensus.status();
  if (term === undefined) {
    throw new Error("the primary has no term");
  }
  await standby.client.consensus.setTerm({ term });
  await standby.client.replication.setPrimaryConnInfo({
    host: "127.0.0.1",
    port: primary.port,
    currentTerm: term.termNumber,
  });
  await caughtUp(standby, primary);
  return standby;
}

/** Resolves when the standby has replayed what the primary has written by now. */
export async function caughtUp(standby: ClusterNode, primary: ClusterNode): Promise<void> {
  const { lsnPosition: targetLsn } = await primary.client.replication.primaryPosition();
  await standby.client.replication.waitForLSN({ targetLsn, timeout: { seconds: 30n } });
}

/** Has each commit wait for a standby. */
export function waitFor({ name }: ClusterNode): SynchronousReplicationConfiguration {
  return {
    synchronousCommit: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_ON,
    synchronousMethod: SynchronousMethod.SYNCHRONOUS_METHOD_ANY,
    numSync: 1,
    standbyIds: [{ component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name }],
  };
}
