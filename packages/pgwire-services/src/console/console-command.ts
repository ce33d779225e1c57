import { SqlScanner, toSqlText } from "@multipooler/pgwire";
import { Refusal } from "../login/refusal.ts";

/** What an operator has the pooler do to a database; all databases where the name is left out. */
export const DATABASE_ACTIONS = ["pause", "resume", "reconnect", "kill"] as const;
/** What always names a database. */
export const NAMED_ACTIONS = ["enable", "disable"] as const;
const TRANSACTION_WORDS: ReadonlyMap<string, "begin" | "end"> = new Map([
  ["begin", "begin"],
  ["start", "begin"],
  ["commit", "end"],
  ["end", "end"],
  ["rollback", "end"],
]);

/**
 * One command of the console.
 *
 * | type        | is                                                                    |
 * | ----------- | --------------------------------------------------------------------- |
 * | show        | SHOW and the name of a table                                          |
 * | database    | PAUSE, RESUME, RECONNECT or KILL, with a database or without           |
 * | named       | ENABLE or DISABLE with a database                                     |
 * | killClient  | KILL_CLIENT with the id of a client                                   |
 * | reload      | RELOAD                                                                |
 * | set         | SET: what drivers send by themselves; it changes nothing              |
 * | transaction | BEGIN, COMMIT and their like: drivers put them around everything      |
 */
export type ConsoleCommand =
  | { readonly type: "show"; readonly what: string }
  | {
      readonly type: "database";
      readonly action: (typeof DATABASE_ACTIONS)[number];
      readonly database: string | undefined;
    }
  | {
      readonly type: "named";
      readonly action: (typeof NAMED_ACTIONS)[number];
      readonly database: string;
    }
  | { readonly type: "killClient"; readonly id: number }
  | { readonly type: "reload" }
  | { readonly type: "set" }
  | { readonly type: "transaction"; readonly action: "begin" | "end"; readonly tag: string };

interface Token {
  readonly kind: string;
  readonly value: string;
}

/**
 * The commands of a query string, in their order.
 *
 * @throws a `Refusal` with 42601, naming the command that is none
 */
export function parseCommands(sql: string): ConsoleCommand[] {
  const commands: ConsoleCommand[] = [];
  let tokens: Token[] = [];
  const end = (): void => {
    if (tokens.length > 0) {
      commands.push(commandOf(tokens));
    }
    tokens = [];
  };
  const scanner = new SqlScanner(toSqlText(sql), { backslashEscapes: false });
  while (scanner.next()) {
    const value = Buffer.from(scanner.value() ?? "", "latin1").toString();
    if (scanner.kind === "symbol" && value === ";") {
      end();
    } else {
      tokens.push({ kind: scanner.kind, value });
    }
  }
  end();
  return commands;
}

function commandOf(tokens: readonly Token[]): ConsoleCommand {
  const [first, second, ...rest] = tokens;
  const word = first?.kind === "word" ? first.value : "";
  const transaction = TRANSACTION_WORDS.get(word);
  if (transaction !== undefined) {
    return { type: "transaction", action: transaction, tag: tagOf(word) };
  }
  if (word === "set") {
    return { type: "set" };
  }
  if (rest.length > 0) {
    throw noCommand(tokens);
  }
  return singleCommand(word, second) ?? raise(noCommand(tokens));
}

/** A command of one word and at most one more. */
function singleCommand(word: string, argument: Token | undefined): ConsoleCommand | undefined {
  const name = argument === undefined ? undefined : nameIn(argument);
  const action = DATABASE_ACTIONS.find((each) => each === word);
  if (action !== undefined && (argument === undefined || name !== undefined)) {
    return { type: "database", action, database: name };
  }
  const named = NAMED_ACTIONS.find((each) => each === word);
  if (named !== undefined && name !== undefined) {
    return { type: "named", action: named, database: name };
  }
  if (word === "show" && name !== undefined) {
    return { type: "show", what: name };
  }
  if (argument === undefined && (word === "help" || word === "show")) {
    return { type: "show", what: "help" };
  }
  if (word === "kill_client" && argument?.kind === "number") {
    return { type: "killClient", id: Number(argument.value) };
  }
  return word === "reload" && argument === undefined ? { type: "reload" } : undefined;
}

/** Names in quotes keep their case; PgBouncer takes strings too. */
function nameIn({ kind, value }: Token): string | undefined {
  return kind === "word" || kind === "identifier" || kind === "string" ? value : undefined;
}

function tagOf(word: string): string {
  switch (word) {
    case "start":
      return "START TRANSACTION";
    case "end":
      return "COMMIT";
    default:
      return word.toUpperCase();
  }
}

function noCommand(tokens: readonly Token[]): Refusal {
  const text = tokens.map(({ value }) => value).join(" ");
  return new Refusal("42601", `invalid command "${text}"`, {
    hint: "SHOW HELP lists the commands of the console.",
  });
}

function raise(error: Error): never {
  throw error;
}
