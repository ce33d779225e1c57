import type { ShardCluster, ShardPrimary, ShardState, ShardTerm } from "@multipooler/topo";
import type { Clock } from "@multipooler/timing";
import { hostAndPort } from "../address-text.ts";
import type { DatabaseFacts } from "../database/managed-database.ts";
import type { PoolerDescription } from "../manager-options.ts";
import { termAfter, termRefusal } from "./claim-right.ts";
import type { ClaimRight } from "./claim-right.ts";
import { sameHistory } from "./cluster-verdict.ts";

export interface ShardClaimantOptions {
  readonly pooler: PoolerDescription;
  readonly facts: () => DatabaseFacts | undefined;
  readonly clock: Clock;
}

/** This pooler with its server, as the record of the shard names them. */
export class ShardClaimant {
  readonly #options: ShardClaimantOptions;

  constructor(options: ShardClaimantOptions) {
    this.#options = options;
  }

  /** Whether the claim names this pooler, or its server. */
  isOwn(primary: ShardPrimary): boolean {
    const { server } = primary;
    return this.isByThisPooler(primary) || (server !== "" && server === this.#facts?.server);
  }

  isByThisPooler({ pooler: { cell, name } }: ShardPrimary): boolean {
    const { identity } = this.#options.pooler;
    return cell === identity.cell && name === identity.name;
  }

  /**
   * Whether the claim is of a server at the same place with the same data: that one, started again. A
   * copy elsewhere, and a standby that was promoted, are told by place and timeline.
   */
  isAtSamePlace({ place }: ShardPrimary, cluster: ShardCluster | undefined): boolean {
    return (
      place !== "" &&
      place === this.#place &&
      cluster !== undefined &&
      tellsOf(cluster, this.#facts?.cluster)
    );
  }

  /** Whether the record says what it would say if it was written now. */
  isUpToDate({ primary, cluster, term }: ShardState, right: ClaimRight): boolean {
    return (
      primary !== undefined &&
      primary.server === (this.#facts?.server ?? "") &&
      primary.place === this.#place &&
      this.#clusterAfter(cluster) === cluster &&
      termAfter(term, right, this.#options.pooler.identity) === term
    );
  }

  /** Why the term of the shard is in the way of a claim by this pooler. */
  termRefusal(known: ShardTerm | undefined, right: ClaimRight): string | undefined {
    return termRefusal(known, right, this.#options.pooler.identity);
  }

  /** The state of the shard once this pooler has claimed it. */
  stateAfter(before: ShardState | undefined, right: ClaimRight): ShardState {
    const { pooler, clock } = this.#options;
    const known = before?.primary;
    const isKnown = known !== undefined && this.isByThisPooler(known);
    return {
      primary: {
        pooler: pooler.identity,
        address: hostAndPort(pooler.hostname, pooler.ports()["grpc"] ?? 0),
        server: this.#facts?.server ?? "",
        place: this.#place,
        since: isKnown ? known.since : new Date(clock.now()),
      },
      cluster: this.#clusterAfter(before?.cluster),
      term: termAfter(before?.term, right, pooler.identity),
    };
  }

  /** The very `before` where that stays. A standby is where it follows: that is not for it to tell. */
  #clusterAfter(before: ShardCluster | undefined): ShardCluster | undefined {
    const { cluster: own, inRecovery = true } = this.#facts ?? {};
    if (inRecovery || own === undefined || tellsOf(before, own)) {
      return before;
    }
    const { systemIdentifier, timeline, history } = own;
    return { systemIdentifier, timeline, history };
  }

  get #facts(): DatabaseFacts | undefined {
    return this.#options.facts();
  }

  /** A server at 127.0.0.1 is not the same one on another machine. */
  get #place(): string {
    const { facts, pooler } = this.#options;
    const place = facts()?.place;
    return place === undefined ? "" : `${place} as seen from ${pooler.hostname}`;
  }
}

/** Whether the state of a shard has all that a server tells of its cluster. */
function tellsOf(shard: ShardCluster | undefined, server: ShardCluster | undefined): boolean {
  return (
    shard?.systemIdentifier === server?.systemIdentifier &&
    shard?.timeline === server?.timeline &&
    (server?.history === undefined || sameHistory(shard?.history, server.history))
  );
}
