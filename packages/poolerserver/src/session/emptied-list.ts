/**
 * Empties arrays that are filled again for the next unit. Setting their length would do the same by a
 * call into the runtime of the engine, and give up their memory.
 */
export function emptyList(...lists: readonly unknown[][]): void {
  for (const list of lists) {
    while (list.length > 0) {
      list.pop();
    }
  }
}
