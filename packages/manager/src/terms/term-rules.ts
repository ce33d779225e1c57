import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { sameComponent } from "./consensus-term.ts";
import type { ComponentId, ConsensusTerm } from "./consensus-term.ts";

/**
 * How the term of a request is compared with the current one.
 *
 * | rule               | verbs                                                               |
 * | ------------------ | ------------------------------------------------------------------- |
 * | at least           | SetPrimaryConnInfo, UpdateSynchronousStandbyList, Demote, BeginTerm |
 * | exactly            | Promote                                                             |
 * | at least, or first | SetTerm                                                             |
 */
export type TermRule = "at least" | "exactly" | "at least, or first";

/** What becomes of a request: it may go on, or may after its newer term was adopted. */
export type TermVerdict = "current" | "adopt";

/** How a request's term can stand to the current one. */
export type TermStanding = "unset" | "older" | "same" | "newer";

const HOW_TO_RECRUIT = 'an operator does that with "multipooler ctl term --set <number>"';

type Refusal = (requested: bigint, current: bigint) => string;

const tooOld: Refusal = (requested, current) =>
  `consensus term too old: request term ${requested} is less than current term ${current}`;
const notRecruited: Refusal = (requested, current) =>
  `term mismatch: node not recruited for term ${requested} (current term is ${current})`;

/** Every case; `unset`: no term was ever set here. */
const VERDICTS: Readonly<Record<TermRule, Readonly<Record<TermStanding, TermVerdict | Refusal>>>> =
  {
    "at least": {
      unset: () =>
        "consensus term not initialized, must be explicitly set via SetTerm (use force=true to bypass): " +
        HOW_TO_RECRUIT,
      older: tooOld,
      same: "current",
      newer: "adopt",
    },
    exactly: {
      unset: () =>
        `consensus term not initialized, node must be recruited via SetTerm first: ${HOW_TO_RECRUIT}`,
      older: notRecruited,
      same: "current",
      newer: notRecruited,
    },
    "at least, or first": {
      unset: "adopt",
      older: (requested, current) =>
        `${tooOld(requested, current)}; only an administrator sets a lower one, and gives a reason (force)`,
      same: "current",
      newer: "adopt",
    },
  };

/** Judges the term of a request. Throws FAILED_PRECONDITION for one that does not count. */
export function judgeTerm(rule: TermRule, requested: bigint, current: bigint): TermVerdict {
  const verdict = VERDICTS[rule][standingOf(requested, current)];
  if (typeof verdict === "string") {
    return verdict;
  }
  throw new ManagerError(ManagerErrorCode.FailedPrecondition, verdict(requested, current));
}

/**
 * What is known of a term after it was set once more. A leader or vote that was not known is taken; one that
 * is known stays, since in one term there is one leader and one vote. Throws FAILED_PRECONDITION for another.
 */
export function sameTerm(known: ConsensusTerm, given: ConsensusTerm): ConsensusTerm {
  const { number } = known;
  const vote = sameOrNew(
    known.acceptedLeader,
    given.acceptedLeader,
    `is accepted in term ${number}`,
  );
  const leader = sameOrNew(known.leader, given.leader, `leads term ${number}`);
  const acceptedAt = known.acceptedLeader === undefined ? given.acceptedAt : known.acceptedAt;
  return { number, acceptedLeader: vote, acceptedAt, leader };
}

function sameOrNew(
  known: ComponentId | undefined,
  given: ComponentId | undefined,
  does: string,
): ComponentId | undefined {
  if (known !== undefined && given !== undefined && !sameComponent(known, given)) {
    throw new ManagerError(
      ManagerErrorCode.FailedPrecondition,
      `${known.cell}/${known.name} ${does} already: ${given.cell}/${given.name} needs a higher one`,
    );
  }
  return known ?? given;
}

function standingOf(requested: bigint, current: bigint): TermStanding {
  if (current === 0n) {
    return "unset";
  }
  if (requested === current) {
    return "same";
  }
  return requested < current ? "older" : "newer";
}
