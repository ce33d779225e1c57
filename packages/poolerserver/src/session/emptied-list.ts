/**
 * Empties an array that is filled again for the next unit. Setting its length would do the same by a
 * call into the runtime of the engine, and give up its memory.
 */
export function emptyList(list: unknown[]): void {
  while (list.length > 0) {
    list.pop();
  }
}
