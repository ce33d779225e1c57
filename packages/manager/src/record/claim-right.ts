import type { ShardTerm } from "@multipooler/topo";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { NotReadyCode } from "../serving/not-ready.ts";
import type { NotReady } from "../serving/not-ready.ts";
import type { PoolerIdentity } from "./pooler-type.ts";

/** By which right a pooler claims its shard. */
export interface ClaimRight {
  /** The term that it leads, or is to lead; 0 where it has none. */
  readonly term: bigint;
  /** Why it must not lead that term by now; asked before each write. */
  readonly superseded: () => string | undefined;
  /**
   * From whom it takes the claim.
   *
   * | from          | of another server's pooler, which has the claim now      | in the term of another leader, or an earlier one |
   * | ------------- | -------------------------------------------------------- | ------ |
   * | nobody        | refused                                                  | refused |
   * | earlier terms | taken                                                    | refused |
   * | anybody       | taken                                                    | taken  |
   */
  readonly from: "nobody" | "earlier terms" | "anybody";
}

/** Why a pooler must not claim a shard in a term: another one has led that, or a newer one. */
export function termRefusal(
  known: ShardTerm | undefined,
  { term, from }: Pick<ClaimRight, "term" | "from">,
  pooler: PoolerIdentity,
): string | undefined {
  if (known === undefined || term > known.number || from === "anybody" || leads(known, pooler)) {
    return undefined;
  }
  const { number, leader } = known;
  return (
    `${leader.cell}/${leader.name} has led the shard in term ${number}: another pooler is promoted in a newer one ` +
    `("multipooler ctl term --set ${number + 1n}", and "ctl promote")`
  );
}

/** The term of a shard once a pooler has claimed it; the very `known` where that stays. */
export function termAfter(
  known: ShardTerm | undefined,
  { term, from }: Pick<ClaimRight, "term" | "from">,
  { cell, name }: PoolerIdentity,
): ShardTerm | undefined {
  const leader = { cell, name };
  if (term > (known?.number ?? 0n)) {
    return { number: term, leader };
  }
  const isTaken = from === "anybody" && known !== undefined && !leads(known, leader);
  return isTaken ? { number: known.number, leader } : known;
}

/** The error of a claim that was refused. */
export function claimFault({ code, reason }: NotReady): ManagerError {
  const { SecondPrimary, FailedPrecondition } = ManagerErrorCode;
  const isSecond = code === NotReadyCode.SecondPrimary;
  return new ManagerError(isSecond ? SecondPrimary : FailedPrecondition, reason);
}

function leads({ leader }: ShardTerm, { cell, name }: PoolerIdentity): boolean {
  return leader.cell === cell && leader.name === name;
}
