const ESCAPE = /\\(.?)/gs;
/** What an escape may stand for without hiding a letter: itself, or white space. */
const ITSELF = "\\'\"";
const WHITE_SPACE = "ntrbf";

/**
 * The code in a string constant whose value the scanner does not tell, as written with its quotes.
 * `undefined` if escapes may hide words.
 */
export function codeInString(literal: string): string | undefined {
  const quote = literal.indexOf("'");
  let mayHide = literal.slice(0, quote).includes("&");
  const inner = literal.slice(quote + 1, literal.endsWith("'") ? -1 : undefined);
  const code = inner.replaceAll(ESCAPE, (_, escaped: string) => {
    if (escaped !== "" && ITSELF.includes(escaped)) {
      return escaped;
    }
    mayHide ||= !WHITE_SPACE.includes(escaped);
    return " ";
  });
  return mayHide ? undefined : code.replaceAll("''", "'");
}
