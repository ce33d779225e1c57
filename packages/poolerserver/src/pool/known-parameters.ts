import type { Member } from "./member.ts";
import type { PoolAccess } from "./pool.ts";

/**
 * What a session of that access reports that nobody has changed, as of its last answer; `undefined`:
 * there is no session.
 */
export function knownParameters(
  members: Iterable<Member>,
  access: PoolAccess,
): ReadonlyMap<string, string> | undefined {
  let found: Member | undefined;
  for (const member of members) {
    const isWanted = member.access === access && member.use !== "leaving";
    if (isWanted && (found === undefined || isBetterKnown(member, found))) {
      found = member;
    }
  }
  return found?.ownParameters;
}

/** Of those that nobody has changed, the one that was used last knows most. */
function isBetterKnown(one: Member, other: Member): boolean {
  return one.isUnchanged === other.isUnchanged ? one.idleSince > other.idleSince : one.isUnchanged;
}
