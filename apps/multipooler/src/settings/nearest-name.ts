import { printable } from "@multipooler/text-table";
import { distance } from "fastest-levenshtein";

/** Further apart than this, two names are not one of them mistyped. */
const MOST_EDITS = 3;
const LETTERS_AN_EDIT = 3;

/** The candidate that `name` was most likely meant to be; `undefined` if it is like none. */
function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  let nearest: string | undefined;
  let edits = Math.min(MOST_EDITS, Math.floor(name.length / LETTERS_AN_EDIT)) + 1;
  for (const candidate of candidates) {
    if (Math.abs(name.length - candidate.length) >= edits) {
      continue;
    }
    const apart = distance(name, candidate);
    if (apart < edits) {
      nearest = candidate;
      edits = apart;
    }
  }
  return nearest;
}

/** A name that somebody gave, as a message shows it: always on one line. */
export function shownName(name: string): string {
  return /^[\w-]+$/.test(name) ? name : printable(JSON.stringify(name));
}

/** Words to put behind a complaint about a name. Empty if it is like no candidate. */
export function suggestion(name: string, candidates: Iterable<string>): string {
  const nearest = nearestName(name, candidates);
  return nearest === undefined ? "" : `; did you mean ${nearest}?`;
}
