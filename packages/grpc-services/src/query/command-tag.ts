/**
 * The rows that a statement changed: the number at the end of its command tag, such as 3 for
 * "INSERT 0 3". 0 for a tag without one and for "SELECT n", which counts rows that were read.
 */
export function rowsAffected(commandTag: string): bigint {
  if (commandTag.startsWith("SELECT")) {
    return 0n;
  }
  const count = commandTag.slice(commandTag.lastIndexOf(" ") + 1);
  return /^\d{1,19}$/.test(count) ? BigInt(count) : 0n;
}
