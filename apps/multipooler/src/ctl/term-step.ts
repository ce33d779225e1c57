import type { ConsensusTerm } from "@multipooler/proto/consensus-v1";
import type { Step } from "./explanation.ts";
import type { PoolerName } from "./pooler-name.ts";
import { termText } from "./term-text.ts";

/** A term that is to be set. */
export interface Setting {
  readonly set: bigint;
  readonly leader: PoolerName | undefined;
  readonly force: string;
}

/**
 * What setting a term would do. Throws where the pooler would refuse it: a term has one leader, and only a reason leads to a lower one.
 *
 * | the term is             | `--leader` | who leads it                            |
 * | ----------------------- | ---------- | --------------------------------------- |
 * | the current one         | left out   | who did; nobody by force                |
 * | the first of the pooler | left out   | a primary itself, of a standby nobody   |
 * | another one             | left out   | nobody                                  |
 * | each                    | given      | that one                                |
 */
export function setStep(now: ConsensusTerm | undefined, setting: Setting): Step {
  const { set, force } = setting;
  const current = now?.termNumber ?? 0n;
  if (force === "") {
    if (set < current) {
      throw new Error(`term ${current} is known: a lower one needs --force and a reason`);
    }
    return raisingStep(now, setting);
  }
  const by = leaderWords(current, setting);
  return {
    name: "set term",
    explanation: `set the term to ${set}, ${by}, and forget ${termText(now)}`,
    needed: true,
  };
}

function raisingStep(now: ConsensusTerm | undefined, setting: Setting): Step {
  const { set, leader } = setting;
  const known = now?.leaderId;
  const named = leader && `${leader.cell}/${leader.name}`;
  const isKnown = known !== undefined && named === `${known.cell}/${known.name}`;
  const isSame = now?.termNumber === set;
  if (isSame && known !== undefined && named !== undefined && !isKnown) {
    throw new Error(`${known.cell}/${known.name} leads term ${set} already`);
  }
  const by = leaderWords(now?.termNumber ?? 0n, setting);
  return {
    name: "set term",
    explanation: isSame
      ? `leave the term at ${termText(now)}${named === undefined || isKnown ? "" : `, ${by} from now on`}`
      : `set the term to ${set}, ${by}, in place of ${termText(now)}`,
    needed: !isSame || (named !== undefined && !isKnown),
  };
}

function leaderWords(current: bigint, { leader }: Setting): string {
  if (leader !== undefined) {
    return `led by ${leader.cell}/${leader.name}`;
  }
  return current === 0n ? "which a primary leads itself" : "which nobody leads";
}
