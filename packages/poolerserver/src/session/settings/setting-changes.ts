import { nameOf, wordOf } from "../statements/sql-tokens.ts";
import type { SqlToken } from "../statements/sql-tokens.ts";

/** Settings that a text changes, as far as its words tell. */
export interface SettingChanges {
  /** Names in lower case, and whether the last change takes the setting back to its default. */
  readonly names: ReadonlyMap<string, "set" | "reset">;
  /** Takes all of them back. */
  readonly resetsAll: boolean;
}

const TRANSACTION_DEFAULTS = [
  "default_transaction_isolation",
  "default_transaction_read_only",
  "default_transaction_deferrable",
];
/** Of what has no name of its own. */
const SPECIAL_NAMES: Readonly<Record<string, readonly string[]>> = {
  characteristics: TRANSACTION_DEFAULTS,
  names: ["client_encoding"],
  role: ["role"],
  schema: ["search_path"],
  authorization: ["session_authorization", "role"],
  "time zone": ["timezone"],
  "xml option": ["xmloption"],
};
/** They end with the transaction, and have no name that could be set otherwise. */
const ENDS_WITH_TRANSACTION = new Set(["transaction", "constraints"]);
const BACK_TO_DEFAULT = new Set(["default", "none", "local"]);
/** Words of a query whose expressions are constants and calls of set_config alone. */
const QUERY_WORDS = new Set(["select", "as", "true", "false", "null", "pg_catalog"]);

/** What statements do to settings, and those among them whose words name none. */
export interface ReadSettings {
  readonly changes: SettingChanges;
  readonly others: readonly (readonly SqlToken[])[];
}

/** The settings that statements change. `undefined` where none does. */
export function readSettings(
  statements: readonly (readonly SqlToken[])[],
): ReadSettings | undefined {
  const names = new Map<string, "set" | "reset">();
  const others: (readonly SqlToken[])[] = [];
  let resetsAll = false;
  for (const statement of statements) {
    const change = changeOf(statement);
    if (change === undefined) {
      others.push(statement);
    } else if (change === "all") {
      resetsAll = true;
      names.clear();
    } else {
      for (const name of change.names) {
        names.set(name, change.type);
      }
    }
  }
  const hasChange = others.length < statements.length;
  return hasChange ? { changes: { names, resetsAll }, others } : undefined;
}

interface Change {
  readonly type: "set" | "reset";
  readonly names: readonly string[];
}

const NOTHING: Change = { type: "set", names: [] };

/** What a statement changes; `undefined`: none of the settings that its words name. */
export function changeOf(tokens: readonly SqlToken[]): Change | "all" | undefined {
  switch (wordOf(tokens[0])) {
    case "set":
      return changeOfSet(tokens);
    case "reset":
      return changeOfReset(tokens);
    case "select":
      return changeOfQuery(tokens);
    default:
      return undefined;
  }
}

function changeOfSet(tokens: readonly SqlToken[]): Change | undefined {
  const first = wordOf(tokens[1]);
  const second = wordOf(tokens[2]);
  const isAboutSession =
    first === "session" && (second === "authorization" || second === "characteristics");
  const isScoped =
    !isAboutSession && (first === "session" || first === "local") && !isAssignment(tokens[2]);
  const rest = tokens.slice(isScoped ? 2 : 1);
  const change = namedChange(rest);
  return isScoped && first === "local" && change !== undefined ? NOTHING : change;
}

/** What stands behind SET and its scope. */
function namedChange(tokens: readonly SqlToken[]): Change | undefined {
  const [first, second] = tokens;
  const lead = wordOf(first);
  if (lead === "seed" || first === undefined) {
    return undefined;
  }
  if (ENDS_WITH_TRANSACTION.has(lead) && !isAssignment(second)) {
    return NOTHING;
  }
  const special = isAssignment(second) ? undefined : specialOf(tokens);
  if (special !== undefined) {
    return {
      type: isDefault(tokens.slice(special.length)) ? "reset" : "set",
      names: special.names,
    };
  }
  const name = qualifiedName(tokens);
  if (name === undefined || !isAssignment(tokens[name.length])) {
    return undefined;
  }
  const type = isDefault(tokens.slice(name.length + 1)) ? "reset" : "set";
  return name.text === "seed" ? undefined : { type, names: [name.text] };
}

function changeOfReset(tokens: readonly SqlToken[]): Change | "all" | undefined {
  const rest = tokens.slice(1);
  if (rest.length === 1 && wordOf(rest[0]) === "all") {
    return "all";
  }
  if (ENDS_WITH_TRANSACTION.has(wordOf(rest[0])) && rest.length > 1) {
    return NOTHING;
  }
  const special = specialOf(rest);
  if (special !== undefined) {
    return { type: "reset", names: special.names };
  }
  const name = qualifiedName(rest);
  return name?.length === rest.length ? { type: "reset", names: [name.text] } : undefined;
}

/** SELECT of calls of set_config whose settings are constants. */
function changeOfQuery(tokens: readonly SqlToken[]): Change | undefined {
  const names: string[] = [];
  let isAlias = false;
  for (const [index, token] of tokens.entries()) {
    const word = nameOf(token);
    if (word === "set_config") {
      const name = tokens[index + 2];
      const isCall = tokens[index + 1]?.value === "(" && tokens[index + 3]?.value === ",";
      if (!isCall || name?.kind !== "string" || name.value === undefined) {
        return undefined;
      }
      names.push(name.value.toLowerCase());
    } else if (word !== undefined && !isAlias && !QUERY_WORDS.has(word)) {
      return undefined;
    } else if (token.kind === "operator") {
      return undefined;
    }
    isAlias = word === "as";
  }
  return names.length === 0 || names.includes("seed") ? undefined : { type: "set", names };
}

function specialOf(
  tokens: readonly SqlToken[],
): { readonly names: readonly string[]; readonly length: number } | undefined {
  const first = wordOf(tokens[0]);
  const second = wordOf(tokens[1]);
  for (const [length, phrase] of [
    [2, first === "session" ? second : `${first} ${second}`],
    [1, first],
  ] as const) {
    const names = SPECIAL_NAMES[phrase];
    if (names !== undefined) {
      return { names, length };
    }
  }
  return undefined;
}

function qualifiedName(
  tokens: readonly SqlToken[],
): { readonly text: string; readonly length: number } | undefined {
  let text = nameOf(tokens[0]);
  let length = 1;
  while (text !== undefined && tokens[length]?.value === "." && tokens[length]?.kind === "symbol") {
    const part = nameOf(tokens[length + 1]);
    text = part === undefined ? undefined : `${text}.${part}`;
    length += 2;
  }
  return text === undefined ? undefined : { text: text.toLowerCase(), length };
}

function isAssignment(token: SqlToken | undefined): boolean {
  return token?.value === "=" || wordOf(token) === "to";
}

function isDefault(tokens: readonly SqlToken[]): boolean {
  return tokens.length === 1 && BACK_TO_DEFAULT.has(wordOf(tokens[0]));
}
