import { setTimeout } from "node:timers/promises";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { PoolerServingStatus, RoutingRole } from "@multipooler/proto/clustermetadata";
import type { StreamPoolerHealthResponse } from "@multipooler/proto/multipoolerservice";

/** What the health stream of a pooler said last. */
export type Health = Pick<StreamPoolerHealthResponse, "servingStatus" | "routingState">;

/** A pooler, or the next one of its name. */
export interface WatchedNode {
  readonly name: string;
  readonly client: Pick<PoolerClient, "streamPoolerHealth">;
}

const RETRY_MS = 20;

/** Collects moments at which two poolers say that they take the writes of one shard under one term. */
export class PrimaryWatch {
  readonly violations: string[] = [];
  /** Each pooler that said of itself that it takes the writes of a term, once. */
  readonly primaries: Set<string> = new Set();
  readonly #last = new Map<string, Health>();

  /** Takes note of what a pooler says. */
  observe(name: string, health: Health): void {
    this.#last.set(name, health);
    const own = primaryTermOf(health);
    if (own === undefined) {
      return;
    }
    this.primaries.add(`${name} in term ${own}`);
    for (const [pooler, said] of this.#last) {
      if (pooler !== name && primaryTermOf(said) === own) {
        this.violations.push(`${pooler} and ${name} in term ${own}`);
      }
    }
  }

  /**
   * Watches the health stream of a node, of each of its poolers in turn, until the signal aborts. What one
   * said last counts until its successor says something else: a broken stream does not end a primary.
   */
  async follow(node: WatchedNode, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const health of node.client.streamPoolerHealth({ signal })) {
          this.observe(node.name, health);
        }
      } catch {
        // The pooler was killed, or is not there again yet.
      }
      await setTimeout(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

function primaryTermOf({ servingStatus, routingState }: Health): bigint | undefined {
  const isPrimary =
    servingStatus === PoolerServingStatus.SERVING &&
    routingState?.role === RoutingRole.ROUTING_ROLE_PRIMARY;
  return isPrimary ? (routingState.rule?.coordinatorTerm ?? 0n) : undefined;
}
