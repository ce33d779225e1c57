/** A limit on what some of those who share get together. */
export interface SharesCap {
  /** A whole number from 0. */
  readonly limit: number;
  /** By their index. */
  readonly members: readonly number[];
}

/**
 * Divides `total` fairly (max-min): nobody gets more than the demand says while somebody else gets
 * less than that and less than the other one, except where a cap keeps the other one from it. What is
 * too little for all goes to the first of those who want it, one each. What nobody wants is spread
 * evenly, as far as caps allow it.
 *
 * @param demands whole numbers from 0
 * @param total a whole number
 */
export function fairShares(
  demands: readonly number[],
  total: number,
  caps: readonly SharesCap[] = [],
): number[] {
  const shares = demands.map(() => 0);
  const rooms = roomsOf(caps);
  const left = satisfy({ demands, shares, rooms }, Math.max(0, total));
  satisfy({ demands: shares.map((share) => share + left), shares, rooms }, left);
  return shares;
}

/** What a cap still allows. */
interface Room {
  left: number;
  readonly members: ReadonlySet<number>;
}

interface Division {
  readonly demands: readonly number[];
  readonly shares: number[];
  readonly rooms: readonly Room[];
}

function roomsOf(caps: readonly SharesCap[]): Room[] {
  return caps.map(({ limit, members }) => ({ left: limit, members: new Set(members) }));
}

/** Raises the shares towards the demands. Returns what is left. */
function satisfy(division: Division, total: number): number {
  const { demands, shares } = division;
  let left = total;
  let hungry = [...demands.keys()].filter((index) => isHungry(division, index));
  while (left > 0 && hungry.length > 0) {
    const each = stepOf(division.rooms, hungry, left);
    for (const index of hungry) {
      const rooms = division.rooms.filter(({ members }) => members.has(index));
      const missing = (demands[index] ?? 0) - (shares[index] ?? 0);
      const more = Math.min(each, missing, left, ...rooms.map((room) => room.left));
      shares[index] = (shares[index] ?? 0) + more;
      left -= more;
      for (const room of rooms) {
        room.left -= more;
      }
    }
    hungry = hungry.filter((index) => isHungry(division, index));
  }
  return left;
}

/** How much each of the hungry can get at once without taking it from another. */
function stepOf(rooms: readonly Room[], hungry: readonly number[], left: number): number {
  let step = Math.floor(left / hungry.length);
  for (const room of rooms) {
    const count = hungry.filter((index) => room.members.has(index)).length;
    step = count === 0 ? step : Math.min(step, Math.floor(room.left / count));
  }
  return Math.max(1, step);
}

function isHungry({ demands, shares, rooms }: Division, index: number): boolean {
  const isMissing = (shares[index] ?? 0) < (demands[index] ?? 0);
  return isMissing && rooms.every(({ left, members }) => left > 0 || !members.has(index));
}
