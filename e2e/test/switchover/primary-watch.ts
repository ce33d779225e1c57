import { PoolerServingStatus, RoutingRole } from "@multipooler/proto/clustermetadata";
import type { StreamPoolerHealthResponse } from "@multipooler/proto/multipoolerservice";
import type { ClusterNode } from "./cluster-node.ts";

/** What the health stream of a pooler said last. */
export type Health = Pick<StreamPoolerHealthResponse, "servingStatus" | "routingState">;

/** Collects moments at which two poolers say that they take the writes of one shard under one term. */
export class PrimaryWatch {
  readonly violations: string[] = [];
  readonly #last = new Map<string, Health>();

  /** Takes note of what a pooler says. */
  observe(name: string, health: Health): void {
    this.#last.set(name, health);
    const primaries = [...this.#last].flatMap(([pooler, said]) => {
      const term = primaryTermOf(said);
      return term === undefined ? [] : [{ pooler, term }];
    });
    for (const { pooler, term } of primaries) {
      if (pooler !== name && primaries.some((own) => own.pooler === name && own.term === term)) {
        this.violations.push(`${pooler} and ${name} in term ${term}`);
      }
    }
  }

  /** Watches the health stream of a node until the signal aborts. */
  async follow({ name, client }: ClusterNode, signal: AbortSignal): Promise<void> {
    try {
      for await (const health of client.streamPoolerHealth({ signal })) {
        this.observe(name, health);
      }
    } catch (error) {
      if (!signal.aborted) {
        throw error;
      }
    }
  }
}

function primaryTermOf({ servingStatus, routingState }: Health): bigint | undefined {
  const isPrimary =
    servingStatus === PoolerServingStatus.SERVING &&
    routingState?.role === RoutingRole.ROUTING_ROLE_PRIMARY;
  return isPrimary ? (routingState.rule?.coordinatorTerm ?? 0n) : undefined;
}
