import { clientFault } from "./client-fault.ts";

/**
 * The settings in the start-up parameter `options`: `-c name=value` or `--name=value`, separated by
 * blanks, where a backslash takes the next character as it is. The other switches of PostgreSQL's
 * server are refused.
 *
 * @see https://www.postgresql.org/docs/17/libpq-connect.html#LIBPQ-CONNECT-OPTIONS
 * @throws a `PgwireError` with the `diagnostic` for the client
 */
export function parseStartupOptions(options: string): [name: string, value: string][] {
  const words = splitOptions(options);
  const settings: [string, string][] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? "";
    if (word === "-c") {
      index += 1;
      settings.push(parseAssignment(words[index] ?? "", "-c "));
    } else if (word.startsWith("-c")) {
      settings.push(parseAssignment(word.slice(2), "-c "));
    } else if (word.startsWith("--") && word.length > 2) {
      settings.push(parseAssignment(word.slice(2), "--"));
    } else {
      throw clientFault("42601", `invalid command-line argument for server process: ${word}`, {
        hint: "The pooler takes -c name=value and --name=value.",
      });
    }
  }
  return settings;
}

function parseAssignment(text: string, option: string): [name: string, value: string] {
  const at = text.indexOf("=");
  if (at <= 0) {
    throw clientFault("42601", `${option}${text} requires a value`);
  }
  return [text.slice(0, at).replaceAll("-", "_"), text.slice(at + 1)];
}

/** What C's isspace knows. */
const BLANKS: ReadonlySet<string> = new Set([" ", "\t", "\n", "\v", "\f", "\r"]);

function splitOptions(options: string): string[] {
  const words: string[] = [];
  let word = "";
  let isInside = false;
  let isEscaped = false;
  for (const character of options) {
    if (isEscaped) {
      word += character;
      isEscaped = false;
    } else if (character === "\\") {
      isInside = true;
      isEscaped = true;
    } else if (!BLANKS.has(character)) {
      isInside = true;
      word += character;
    } else if (isInside) {
      words.push(word);
      word = "";
      isInside = false;
    }
  }
  return isInside ? [...words, word] : words;
}
