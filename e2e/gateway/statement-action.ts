import { textAround } from "./sql-statement.ts";
import type { SqlStatement, Token } from "./sql-statement.ts";

/** Why a connection is reserved, by the numbers of the contract. */
export const Reason = {
  Transaction: 1,
  TempTable: 2,
  Portal: 4,
  AdvisoryLock: 64,
  SetSeed: 128,
} as const;

/** What a gateway does with a statement. */
export type StatementAction =
  | { readonly type: "begin" }
  | { readonly type: "commit" | "rollback"; readonly chain: boolean }
  | { readonly type: "set"; readonly name: string; readonly value: string | undefined }
  | { readonly type: "resetAll" | "discardAll" | "discardTemp" }
  | { readonly type: "copy"; readonly direction: "in" | "out" }
  | { readonly type: "listen"; readonly channel: string }
  | { readonly type: "unlisten"; readonly channel: string | undefined }
  | PrepareAction
  | { readonly type: "deallocate"; readonly name: string | undefined }
  | ExecuteAction
  | RunAction;

/** SQL's PREPARE. */
export interface PrepareAction {
  readonly type: "prepare";
  readonly name: string;
  readonly typeNames: readonly string[];
  readonly query: string;
}

/** A statement with EXECUTE in it: what stands before the name, and behind it. */
export interface ExecuteAction {
  readonly type: "execute";
  readonly name: string;
  readonly prefix: string;
  readonly suffix: string;
  readonly run: RunAction;
}

/** It is run by the pooler, on a connection that is reserved for these reasons. */
export interface RunAction {
  readonly type: "run";
  readonly reasons: number;
  readonly pins: readonly string[];
  readonly releases: readonly string[];
  readonly recheckLocks: boolean;
}

/** What only asks for the connection that is there already, or any. */
export const NO_REASON: RunAction = {
  type: "run",
  reasons: 0,
  pins: [],
  releases: [],
  recheckLocks: false,
};

/** What a statement is, by its words. The real gateway parses; what the tests run needs no more. */
export function actionOf(statement: SqlStatement): StatementAction {
  const words = statement.tokens.map(({ value }) => value);
  const [first = "", second = ""] = words;
  switch (first) {
    case "begin":
    case "start":
      return { type: "begin" };
    case "commit":
    case "end":
      return second === "prepared" ? NO_REASON : { type: "commit", chain: isChained(words) };
    case "rollback":
    case "abort":
      return words.includes("to") ? NO_REASON : { type: "rollback", chain: isChained(words) };
    case "set":
      return settingOf(statement.tokens);
    case "reset":
      return second === "all" ? { type: "resetAll" } : reset(second);
    case "discard":
      return discardOf(second);
    case "copy":
      return copyOf(words);
    case "prepare":
      return second === "transaction" ? NO_REASON : prepareOf(statement);
    case "deallocate":
      return deallocateOf(words);
    case "execute":
    case "explain":
    case "create":
      return executeOf(statement, runOf(words));
    case "listen":
      return { type: "listen", channel: second };
    case "unlisten":
      return { type: "unlisten", channel: second === "*" ? undefined : second };
    default:
      return runOf(words);
  }
}

function isChained(words: readonly string[]): boolean {
  return words.includes("chain") && !words.includes("no");
}

function reset(name: string): StatementAction {
  return { type: "set", name, value: undefined };
}

function discardOf(what: string): StatementAction {
  switch (what) {
    case "all":
      return { type: "discardAll" };
    case "temp":
    case "temporary":
      return { type: "discardTemp" };
    default:
      return NO_REASON;
  }
}

function copyOf(words: readonly string[]): StatementAction {
  if (words.includes("stdin")) {
    return { type: "copy", direction: "in" };
  }
  return words.includes("stdout") ? { type: "copy", direction: "out" } : NO_REASON;
}

/** SET of the session; SET LOCAL, SET TRANSACTION and SET CONSTRAINTS are statements like others. */
function settingOf(tokens: readonly Token[]): StatementAction {
  const words = tokens.map(({ value }) => value);
  const from = words[1] === "session" && words[2] !== "authorization" ? 2 : 1;
  const name = words[from] ?? "";
  if (["local", "transaction", "constraints", "characteristics"].includes(name)) {
    return NO_REASON;
  }
  if (name === "session") {
    return { type: "set", name: "session_authorization", value: words[from + 2] };
  }
  if (name === "time") {
    return { type: "set", name: "timezone", value: words[from + 2] };
  }
  const separator = words[from + 1];
  const isName = separator === "=" || separator === "to";
  const value = words.slice(isName ? from + 2 : from + 1).join("");
  return { type: "set", name, value: value === "default" || value === "none" ? undefined : value };
}

/** PREPARE name [ ( types ) ] AS query */
function prepareOf(statement: SqlStatement): PrepareAction {
  const { tokens } = statement;
  const at = tokens.findIndex(({ value }) => value === "as");
  const as = tokens[at];
  return {
    type: "prepare",
    name: tokens[1]?.value ?? "",
    typeNames: tokens
      .slice(2, Math.max(2, at))
      .map(({ value }) => value)
      .filter((value) => !["(", ",", ")"].includes(value)),
    query: as === undefined ? "" : textAround(statement, as).behind.trim(),
  };
}

function deallocateOf(words: readonly string[]): StatementAction {
  const name = words[words[1] === "prepare" ? 2 : 1];
  return { type: "deallocate", name: name === "all" ? undefined : name };
}

/** EXECUTE, EXPLAIN EXECUTE or CREATE TABLE AS EXECUTE; without one of them `run`. */
function executeOf(statement: SqlStatement, run: RunAction): ExecuteAction | RunAction {
  const { tokens } = statement;
  const at = tokens.findIndex(({ value }) => value === "execute");
  const name = at === -1 ? undefined : tokens[at + 1];
  if (name === undefined) {
    return run;
  }
  const { before: prefix, behind: suffix } = textAround(statement, name);
  return { type: "execute", name: name.value, prefix, suffix, run };
}

function runOf(words: readonly string[]): RunAction {
  if (words[0] === "create" && (words[1] === "temp" || words[1] === "temporary")) {
    return { ...NO_REASON, reasons: Reason.TempTable };
  }
  if (words[0] === "declare" && words.includes("hold") && !words.includes("without")) {
    return { ...NO_REASON, reasons: Reason.Portal, pins: [words[1] ?? ""] };
  }
  if (words[0] === "close") {
    return { ...NO_REASON, releases: [words[1] ?? ""] };
  }
  const locks = words.some(
    (word) => word === "pg_advisory_lock" || word === "pg_try_advisory_lock",
  );
  const unlocks = words.some((word) => word.startsWith("pg_advisory_unlock"));
  const seeds = words.includes("setseed");
  return {
    ...NO_REASON,
    reasons: (locks ? Reason.AdvisoryLock : 0) | (seeds ? Reason.SetSeed : 0),
    recheckLocks: locks || unlocks,
  };
}
