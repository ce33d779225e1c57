import type { Visitor } from "../visit.ts";
import { calls } from "./calls.ts";
import { abandonedCopies, copies } from "./copying.ts";
import { cancelling, strangers, vanishing, wrongPasswords } from "./departures.ts";
import { largeResults } from "./large-results.ts";
import { listening } from "./listening.ts";
import { preparedStatements, simpleQueries } from "./statements.ts";
import { abandonedTransactions, transactions } from "./transactions.ts";

/** What clients do, and how many of a hundred do it. */
const SHARES: ReadonlyMap<Visitor, number> = new Map([
  [simpleQueries, 22],
  [preparedStatements, 22],
  [transactions, 18],
  [abandonedTransactions, 4],
  [copies, 5],
  [abandonedCopies, 2],
  [listening, 5],
  [largeResults, 4],
  [vanishing, 5],
  [strangers, 1],
  [wrongPasswords, 1],
  [cancelling, 4],
  [calls, 7],
]);

const ALL = [...SHARES.values()].reduce((sum, share) => sum + share, 0);

/** The visitor at this place, from 0 up to 1, of the line in which each has its share. */
export function visitorAt(place: number): Visitor {
  let left = place * ALL;
  for (const [visitor, share] of SHARES) {
    left -= share;
    if (left < 0) {
      return visitor;
    }
  }
  return simpleQueries;
}
