import { LEFT_TO_RIGHT, PROHIBITED, RIGHT_TO_LEFT } from "./stringprep-tables.ts";

/** Table C.1.2 of RFC 3454: spaces other than U+0020. */
const OTHER_SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu;

/** Table B.1 of RFC 3454: what carries no meaning. */
const NOTHING =
  /\u00ad|\u034f|\u1806|[\u180b-\u180d]|[\u200b-\u200d]|\u2060|[\ufe00-\ufe0f]|\ufeff/gu;

const ASCII = /^[\0-\x7f]*$/;

/** Whether a code point is in a set of RFC 3454. */
type CodePointSet = (codePoint: number) => boolean;

/** Read when the first password beyond ASCII comes. */
let sets: Record<"prohibited" | "rightToLeft" | "leftToRight", CodePointSet> | undefined;

/**
 * Prepares a password for SCRAM as PostgreSQL does when it stores one: SASLprep (RFC 4013) where it
 * applies, the password as it is where the profile does not allow it.
 *
 * Like PostgreSQL, and unlike the RFC, it looks for prohibited characters before normalisation.
 */
export function saslPrep(password: string): string {
  if (ASCII.test(password)) {
    return password;
  }
  const mapped = password.replace(OTHER_SPACES, " ").replace(NOTHING, "");
  return isAllowed(Array.from(mapped, codePointOf)) ? mapped.normalize("NFKC") : password;
}

function isAllowed(codePoints: readonly number[]): boolean {
  sets ??= {
    prohibited: parseSet(PROHIBITED),
    rightToLeft: parseSet(RIGHT_TO_LEFT),
    leftToRight: parseSet(LEFT_TO_RIGHT),
  };
  const [first, last] = [codePoints[0], codePoints.at(-1)];
  if (first === undefined || last === undefined || codePoints.some(sets.prohibited)) {
    return false;
  }
  if (!codePoints.some(sets.rightToLeft)) {
    return true;
  }
  return sets.rightToLeft(first) && sets.rightToLeft(last) && !codePoints.some(sets.leftToRight);
}

function parseSet(table: string): CodePointSet {
  const ranges: { first: number; last: number }[] = [];
  let position = 0;
  for (const [, gap, reach] of table.matchAll(/(\w+)\s(\w+)/g)) {
    const first = position + Number.parseInt(gap ?? "", 36);
    position = first + Number.parseInt(reach ?? "", 36);
    ranges.push({ first, last: position });
  }
  return (codePoint) => ranges.some(({ first, last }) => first <= codePoint && codePoint <= last);
}

function codePointOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}
