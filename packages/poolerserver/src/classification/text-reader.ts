import { SqlScanner, toSqlText } from "@multipooler/pgwire";
import type { SqlDialect, SqlTokenKind } from "@multipooler/pgwire";
import { words } from "./builtin-functions.ts";
import { SetConfigCalls } from "./set-config-calls.ts";
import { StatementReader } from "./statement-reader.ts";
import type { Reading } from "./statement-reader.ts";
import { codeInString } from "./string-code.ts";
import { Taint } from "./taint.ts";
import { noFacts } from "./text-facts.ts";
import type { TextFacts } from "./text-facts.ts";

/** Strings in strings are read so deep. Deeper ones may do anything. */
const MAX_DEPTH = 8;

/** Words of PL/pgSQL behind which a statement begins. */
const BODY_HEADS = new Set(words("begin then else loop atomic"));
/** Statements whose strings are code, also that of a function which the same text may call. */
const HOLDS_CODE = new Set(words("do create"));

const STANDARD: readonly SqlDialect[] = [{ backslashEscapes: false }];
const BOTH_DIALECTS: readonly SqlDialect[] = [...STANDARD, { backslashEscapes: true }];

const NON_ASCII = /[\u0080-\u00ff]/;

/** The facts of a query string, with both ways to read a backslash. */
export function readQuery(text: string): TextFacts {
  return read(text, { reading: "query", readsStrings: false });
}

/** The facts of the code of a function in SQL or PL/pgSQL. */
export function readBody(text: string): TextFacts {
  const facts = read(text, { reading: "body", readsStrings: false });
  // A statement that is put together at run time is made of the strings.
  return facts.isDynamic ? read(text, { reading: "body", readsStrings: true }) : facts;
}

function read(text: string, how: Pick<ReadOptions, "reading" | "readsStrings">): TextFacts {
  const facts = noFacts();
  for (const dialect of text.includes("\\") ? BOTH_DIALECTS : STANDARD) {
    new TextReader({ ...how, facts, dialect, depth: 0 }).read(text);
  }
  return facts;
}

interface ReadOptions {
  readonly facts: TextFacts;
  readonly dialect: SqlDialect;
  readonly reading: Reading;
  readonly readsStrings: boolean;
  /** In how many strings the text stands. */
  readonly depth: number;
}

/** Goes through a text once and adds to its facts. */
class TextReader {
  readonly #options: ReadOptions;
  readonly #facts: TextFacts;
  readonly #statement: StatementReader;
  readonly #setConfigCalls = new SetConfigCalls();
  #hasNonAscii = false;
  /** The token before the current one: a word, the name that it can call, or neither. */
  #previousWord = "";
  #previousName: string | undefined;
  #isBehindDot = false;

  constructor(options: ReadOptions) {
    this.#options = options;
    this.#facts = options.facts;
    this.#statement = new StatementReader(options.facts, options.reading);
  }

  read(text: string): void {
    this.#hasNonAscii = NON_ASCII.test(text);
    const scanner = new SqlScanner(text, this.#options.dialect);
    while (scanner.next()) {
      const { kind } = scanner;
      const value = scanner.value();
      this.#setConfigCalls.see(kind, value);
      if (kind === "string") {
        this.#string(value, text.slice(scanner.start, scanner.end));
      } else {
        this.#token(kind, value ?? "");
      }
      this.#facts.hidesName ||= kind === "identifier" && value === undefined;
      this.#previousWord = kind === "word" ? (value ?? "") : "";
      this.#previousName = kind === "word" || kind === "identifier" ? value : undefined;
      this.#isBehindDot = kind === "symbol" && value === ".";
    }
    this.#statement.end();
    this.#facts.taint |= this.#setConfigCalls.taint;
    this.#facts.setsLocally ||= this.#setConfigCalls.setsLocally;
    this.#facts.statements = Math.max(this.#facts.statements, this.#statement.count);
  }

  #token(kind: Exclude<SqlTokenKind, "string">, value: string): void {
    switch (kind) {
      case "symbol":
        this.#symbol(value);
        return;
      case "word":
        this.#word(value);
        return;
      case "identifier":
        this.#name(value);
        return;
      case "operator":
        this.#facts.operators.add(value);
        this.#statement.take("");
        // The end of a label.
        if (value === ">>" && this.#options.reading === "body") {
          this.#statement.end();
        }
        return;
      case "number":
      case "parameter":
        this.#statement.take("");
        return;
    }
  }

  #symbol(value: string): void {
    if (value === ";") {
      this.#statement.end();
      return;
    }
    this.#statement.take(value === "." ? value : "", value === "(");
    if (value !== "(" || this.#previousName === undefined) {
      return;
    }
    if (this.#previousName === "set_config") {
      this.#setConfigCalls.open();
      this.#facts.setsConfig = true;
    } else {
      this.#facts.calls.add(this.#previousName);
    }
  }

  #name(name: string): void {
    this.#facts.names.add(name);
    this.#statement.take(name);
    // (0.5).setseed is a call as well.
    if (this.#isBehindDot && name !== "set_config") {
      this.#facts.calls.add(name);
    }
    if (name.startsWith("pg_temp")) {
      this.#facts.taint |= Taint.Temporary;
      this.#facts.makesTemporary = true;
    }
  }

  #word(word: string): void {
    if (this.#hasNonAscii) {
      // With an encoding of one byte a character, PostgreSQL makes all letters of a word lower.
      this.#facts.names.add(inLowerCase(word));
    }
    if (this.#options.reading === "body" && BODY_HEADS.has(word)) {
      this.#statement.end();
      return;
    }
    this.#name(word);
    this.#statement.word(word, this.#previousWord);
  }

  #string(value: string | undefined, literal: string): void {
    this.#statement.take("");
    const { facts, dialect, readsStrings, depth } = this.#options;
    if (!readsStrings && !HOLDS_CODE.has(this.#statement.lead)) {
      return;
    }
    const code = value ?? codeInString(literal);
    if (code === undefined || depth === MAX_DEPTH) {
      facts.taint |= Taint.Lasting;
      return;
    }
    const { statements } = facts;
    const options = { facts, dialect, reading: "body", readsStrings: true } as const;
    new TextReader({ ...options, depth: depth + 1 }).read(code);
    facts.statements = statements;
  }
}

function inLowerCase(word: string): string {
  return toSqlText(Buffer.from(word, "latin1").toString().toLowerCase());
}
