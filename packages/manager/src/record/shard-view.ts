import type { Clock } from "@multipooler/timing";
import type {
  ShardCluster,
  ShardName,
  ShardPrimary,
  ShardState,
  ShardTerm,
  Versioned,
} from "@multipooler/topo";
import type { Logger } from "../logger.ts";
import { NotReadyCode } from "../serving/not-ready.ts";
import type { NotReady } from "../serving/not-ready.ts";
import type { ClaimRight } from "./claim-right.ts";
import type { ShardClaimant } from "./shard-claimant.ts";
import { refusalOf, secondPrimary } from "./shard-standing.ts";
import type { FoundClaim, Standing } from "./shard-standing.ts";

/** How long a record that another pooler had is left to that one when it is gone. */
const VACANCY_MS = 3_000;

export interface ShardViewOptions {
  readonly shard: ShardName;
  readonly claimant: ShardClaimant;
  /** By which right the pooler has the claim, as far as it has one. */
  readonly ownRight: () => ClaimRight;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether the pooler is, or is to be, the primary; false only where that is certain. */
  readonly isCandidate: () => boolean;
  /** Called, synchronously, with the cluster that each record names. */
  readonly learn: (cluster: ShardCluster | undefined) => void;
  /** Called, synchronously, where another claim was found. */
  readonly forget: () => void;
  /** Called, synchronously, after each change of {@link ShardView.standing} or {@link ShardView.refusal}. */
  readonly onChange: () => void;
}

/** What the record of the shard, as it was read last, says to this pooler. */
export class ShardView {
  readonly #options: ShardViewOptions;
  #standing: Standing = { name: "unknown" };
  #term: ShardTerm | undefined;

  constructor(options: ShardViewOptions) {
    this.#options = options;
  }

  get standing(): Standing {
    return this.#standing;
  }

  get term(): ShardTerm | undefined {
    return this.#term;
  }

  /** Who takes the writes. */
  get primary(): ShardPrimary | undefined {
    return "found" in this.#standing ? this.#standing.found.primary : undefined;
  }

  /** Why the pooler must not take writes. */
  refusal(): NotReady | undefined {
    return refusalOf(this.#standing) ?? this.refusalByTerm(this.#options.ownRight());
  }

  /** Why the pooler must not claim the shard by a right. */
  refusalTo(right: ClaimRight): NotReady | undefined {
    const superseded = right.superseded();
    if (superseded !== undefined) {
      return { code: NotReadyCode.WritesRefused, reason: superseded };
    }
    const byOthers = right.from === "nobody" ? refusalOf(this.#standing) : undefined;
    return byOthers ?? this.refusalByTerm(right);
  }

  /** Why the term of the shard is in the way. A claim that is held is renewed in whichever term. */
  refusalByTerm(right: ClaimRight): NotReady | undefined {
    const { name } = this.#standing;
    if (name === "held" || name === "unknown") {
      return undefined;
    }
    const reason = this.#options.claimant.termRefusal(this.#term, right);
    return reason === undefined ? undefined : secondPrimary(reason);
  }

  /** The record says this, or is gone. */
  judge(found: Versioned<ShardState> | undefined): void {
    this.#options.learn(found?.record.cluster);
    const term = found?.record.term;
    const before = this.#standing;
    const primary = found?.record.primary;
    if (found === undefined && before.name === "taken") {
      const vacantAt = this.#options.clock.monotonic() + VACANCY_MS;
      this.#become({ name: "left", by: before.found.primary, vacantAt }, term);
    } else if (found !== undefined && primary !== undefined) {
      this.#judgeClaim({ primary, version: found.version }, term);
    } else if (found !== undefined || before.name !== "left") {
      this.#become({ name: "vacant" }, term);
    }
  }

  /** The server may be another one. */
  judgeAgain(): void {
    if ("found" in this.#standing) {
      this.#judgeClaim(this.#standing.found, this.#term);
    }
  }

  /** Nobody has written a record again that is gone. */
  becomeVacant(): void {
    this.#become({ name: "vacant" }, this.#term);
  }

  /** Takes note that a claim may be taken over, unless another one was read meanwhile. */
  becomeRetired(found: FoundClaim): void {
    const standing = this.#standing;
    if (standing.name === "taken" && standing.found.version === found.version) {
      this.#become({ name: "retired", found }, this.#term);
    }
  }

  #judgeClaim(found: FoundClaim, term: ShardTerm | undefined): void {
    const before = this.#standing;
    const isSame = "found" in before && before.found.version === found.version;
    if (!isSame) {
      this.#options.forget();
    }
    if (this.#options.claimant.isOwn(found.primary)) {
      this.#become({ name: "held", found }, term);
    } else if (!(isSame && before.name === "retired")) {
      this.#become({ name: "taken", found }, term);
    }
  }

  #become(standing: Standing, term: ShardTerm | undefined): void {
    const before = { name: this.#standing.name, reason: this.refusal()?.reason };
    this.#standing = standing;
    this.#term = term;
    const reason = this.refusal()?.reason;
    if (reason === before.reason && standing.name === before.name) {
      return;
    }
    const { logger, shard, isCandidate, onChange } = this.#options;
    if (reason !== undefined && reason !== before.reason && isCandidate()) {
      logger.warn({ shard }, `takes no writes: ${reason}`);
    }
    onChange();
  }
}
