/** What a secret follows: a word for it, or the user in a connection URI. */
const SECRET = /passw|:\/\/[^\s/@:]*:/i;
/** What a value begins with, in SQL and in a connection string. */
const VALUE = /['$=\\]/;

/**
 * A statement up to the first value that may be a secret: that of PASSWORD in CREATE and ALTER ROLE, of an
 * option of a user mapping, in the connection string of a subscription or of dblink. The text is searched
 * and not parsed, so that no quoting hides one; columns with such a name have their values cut off, too.
 */
export function withoutSecrets(text: string): string {
  const found = SECRET.exec(text);
  if (found === null) {
    return text;
  }
  const end = found.index + found[0].length;
  const valueAt = found[0].endsWith(":") ? 0 : text.slice(end).search(VALUE);
  return valueAt === -1 ? text : `${text.slice(0, end + valueAt)}…`;
}
