/** Dials under way at once: a server that comes back is not stormed. */
const MAX_DIALS = 4;

/**
 * Bounds the dials to one server that are under way at once, whichever pools they are for. Pools that
 * found no room get it in the order in which they asked.
 */
export class DialLimit {
  readonly #waiting = new Set<() => void>();
  #underWay = 0;

  /** Whether a dial may begin. If not, `onRoom` is called once when one may. */
  hasRoom(onRoom: () => void): boolean {
    if (this.#underWay < MAX_DIALS) {
      return true;
    }
    this.#waiting.add(onRoom);
    return false;
  }

  begin(): void {
    this.#underWay += 1;
  }

  /** A dial is over: those who wait may begin theirs, as far as there is room. */
  end(): void {
    this.#underWay -= 1;
    for (const onRoom of this.#waiting) {
      if (this.#underWay >= MAX_DIALS) {
        return;
      }
      this.#waiting.delete(onRoom);
      onRoom();
    }
  }

  /** `onRoom` is not called any more. */
  forget(onRoom: () => void): void {
    this.#waiting.delete(onRoom);
  }
}
