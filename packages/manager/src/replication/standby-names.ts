/** What `synchronous_standby_names` says. The names are as `application_name` has them, or "*". */
export interface StandbyNames {
  readonly method: "first" | "any";
  readonly count: number;
  readonly names: readonly string[];
}

/** Writes the setting. Every name is quoted, so that it may be any text. */
export function formatStandbyNames({ method, count, names }: StandbyNames): string {
  const quoted = names.map((name) => `"${name.replaceAll('"', '""')}"`);
  return `${method.toUpperCase()} ${count} (${quoted.join(", ")})`;
}

interface Token {
  readonly type: "name" | "number" | "keyword" | "sign";
  readonly text: string;
}

// As PostgreSQL's scanner has it; an escaped quote is written twice.
const TOKEN =
  /[ \t\n\r\f\v]*(?:"((?:[^"]|"")*)"|([A-Za-z_\u{80}-\u{10ffff}][\w$\u{80}-\u{10ffff}]*)|([0-9]+)|([*,()]))/uy;

/**
 * Reads the setting, in each of its forms: `FIRST n (…)`, `ANY n (…)`, `n (…)` and a mere list, which
 * is FIRST 1. `undefined` where it is empty, and for what PostgreSQL would refuse.
 */
export function parseStandbyNames(text: string): StandbyNames | undefined {
  const tokens = tokensOf(text);
  const [first, second] = tokens;
  if (tokens.length === 0 || first === undefined) {
    return undefined;
  }
  if (first.type === "keyword") {
    return withCount(first.text === "any" ? "any" : "first", tokens.slice(1));
  }
  if (first.type === "number" && second?.text === "(" && second.type === "sign") {
    return withCount("first", tokens);
  }
  const names = listOf(tokens);
  return names === undefined ? undefined : { method: "first", count: 1, names };
}

function withCount(
  method: StandbyNames["method"],
  [number, open, ...rest]: readonly Token[],
): StandbyNames | undefined {
  const names = listOf(rest.slice(0, -1));
  const isClosed = isSign(open, "(") && isSign(rest.at(-1), ")");
  if (number?.type !== "number" || !isClosed || names === undefined) {
    return undefined;
  }
  return { method, count: Number(number.text), names };
}

function listOf(tokens: readonly Token[]): readonly string[] | undefined {
  const names: string[] = [];
  for (const [index, token] of tokens.entries()) {
    const isName = token.type === "name" || token.type === "number";
    if (index % 2 === 0 ? !isName : !isSign(token, ",")) {
      return undefined;
    }
    if (isName) {
      names.push(token.text);
    }
  }
  return tokens.length % 2 === 1 ? names : undefined;
}

function isSign(token: Token | undefined, text: string): boolean {
  return token?.type === "sign" && token.text === text;
}

function tokensOf(text: string): readonly Token[] {
  const pattern = new RegExp(TOKEN);
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  while (pattern.lastIndex < end) {
    const [, quoted, word, digits, sign] = pattern.exec(text) ?? [];
    if (quoted !== undefined) {
      tokens.push({ type: "name", text: quoted.replaceAll('""', '"') });
    } else if (word !== undefined) {
      const lower = word.toLowerCase();
      const isKeyword = lower === "any" || lower === "first";
      tokens.push(isKeyword ? { type: "keyword", text: lower } : { type: "name", text: word });
    } else if (digits !== undefined) {
      tokens.push({ type: "number", text: digits });
    } else if (sign !== undefined) {
      tokens.push({ type: sign === "*" ? "name" : "sign", text: sign });
    } else {
      return [];
    }
  }
  return tokens;
}
