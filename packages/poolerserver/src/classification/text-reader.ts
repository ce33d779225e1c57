import { SqlScanner, toSqlText } from "@multipooler/pgwire";
import type { SqlDialect, SqlTokenKind } from "@multipooler/pgwire";
import { words } from "./builtin-functions.ts";
import { SetConfigCalls } from "./set-config-calls.ts";
import { HEAD_LENGTH, bodyLeadOf, leadOf } from "./statement-lead.ts";
import { Taint } from "./taint.ts";
import { noFacts } from "./text-facts.ts";
import type { TextFacts } from "./text-facts.ts";

/** Strings in strings are read so deep; deeper ones may do anything. */
const MAX_DEPTH = 8;

/** Words of PL/pgSQL behind which a statement begins. */
const BODY_HEADS = new Set(words("begin then else loop atomic"));
/** Statements that evaluate expressions of tables: of indexes, of constraints, defaults. */
const EVALUATES = new Set(words("alter create analyze analyse cluster refresh reindex vacuum"));
/** Words between CREATE or INTO and TEMPORARY. */
const BEFORE_TEMPORARY = new Set(words("create into local global replace"));
/** Statements in which EXECUTE is part of a definition or a privilege. */
const NAMES_EXECUTE = new Set(words("create alter grant revoke comment"));
const READS = new Set(words("select values table with explain"));

/** How a text is read: a query string, or the code of a function, where statements nest. */
type Reading = "query" | "body";

/** The facts of a query string in one or both ways to read a backslash. */
export function readQuery(text: string): TextFacts {
  return readDialects(text, "query");
}

/** The facts of the code of a function in SQL or PL/pgSQL. */
export function readBody(text: string): TextFacts {
  const facts = readDialects(text, "body");
  // A statement that is put together at run time is made of the strings.
  return facts.isDynamic ? readDialects(text, "body", facts) : facts;
}

function readDialects(text: string, reading: Reading, known?: TextFacts): TextFacts {
  const facts = known ?? noFacts();
  for (const dialect of text.includes("\\") ? BOTH_DIALECTS : STANDARD) {
    new TextReader({ facts, dialect, reading, readsStrings: known !== undefined, depth: 0 }).read(
      text,
    );
  }
  return facts;
}

const STANDARD: readonly SqlDialect[] = [{ backslashEscapes: false }];
const BOTH_DIALECTS: readonly SqlDialect[] = [...STANDARD, { backslashEscapes: true }];

const NON_ASCII = /[\u0080-\u00ff]/;

function inLowerCase(word: string): string {
  return toSqlText(Buffer.from(word, "latin1").toString().toLowerCase());
}

interface TextReaderOptions {
  readonly facts: TextFacts;
  readonly dialect: SqlDialect;
  readonly reading: Reading;
  readonly readsStrings: boolean;
  readonly depth: number;
}

/** Goes through a text once and adds to its facts. */
class TextReader {
  readonly #options: TextReaderOptions;
  readonly #facts: TextFacts;
  readonly #setConfigCalls = new SetConfigCalls();
  /** The first words of the current statement. */
  #head: string[] = [];
  #isTemporary = false;
  #isHeld = false;
  #statements = 0;
  #hasNonAscii = false;
  /** The token before the current one: a word, the name that it can call, or neither. */
  #previousWord = "";
  #previousName: string | undefined;
  #isBehindDot = false;

  constructor(options: TextReaderOptions) {
    this.#options = options;
    this.#facts = options.facts;
  }

  read(text: string): void {
    this.#hasNonAscii = NON_ASCII.test(text);
    const { dialect } = this.#options;
    const scanner = new SqlScanner(text, dialect);
    while (scanner.next()) {
      const { kind } = scanner;
      const value = scanner.value();
      this.#setConfigCalls.see(kind, value);
      if (kind === "string") {
        this.#string(value ?? text.slice(scanner.start, scanner.end));
      } else {
        this.#token(kind, value);
      }
      this.#previousWord = kind === "word" ? (value ?? "") : "";
      this.#previousName = kind === "word" || kind === "identifier" ? value : undefined;
      this.#isBehindDot = kind === "symbol" && value === ".";
    }
    this.#endStatement();
    this.#facts.taint |= this.#setConfigCalls.taint;
    this.#facts.statements = Math.max(this.#facts.statements, this.#statements);
  }

  #token(kind: SqlTokenKind, value: string | undefined): void {
    switch (kind) {
      case "symbol":
        this.#symbol(value);
        return;
      case "word":
        this.#word(value ?? "");
        return;
      case "identifier":
        this.#facts.hidesName ||= value === undefined;
        this.#name(value ?? "");
        return;
      case "operator":
        this.#operator(value ?? "");
        return;
      case "string":
      case "number":
      case "parameter":
        this.#addToHead("");
        return;
    }
  }

  #symbol(value: string | undefined): void {
    if (value === ";") {
      this.#endStatement();
    } else if (value === "(") {
      this.#parenthesis();
    } else {
      this.#addToHead("");
    }
  }

  #parenthesis(): void {
    if (this.#previousName === "set_config") {
      this.#setConfigCalls.open();
      this.#facts.setsConfig = true;
    } else if (this.#previousName !== undefined) {
      this.#facts.calls.add(this.#previousName);
    }
    // A query may begin with parentheses.
    if (this.#head.length > 0) {
      this.#addToHead("");
    }
  }

  #operator(value: string): void {
    this.#facts.operators.add(value);
    this.#addToHead("");
    if (value === ">>" && this.#options.reading === "body") {
      this.#endStatement();
    }
  }

  #name(name: string): void {
    this.#facts.names.add(name);
    this.#addToHead(name);
    // (0.5).setseed is a call as well.
    if (this.#isBehindDot && name !== "set_config") {
      this.#facts.calls.add(name);
    }
    if (name.startsWith("pg_temp")) {
      this.#facts.taint |= Taint.State;
    }
  }

  #word(word: string): void {
    if (this.#hasNonAscii) {
      // With an encoding of one byte a character, PostgreSQL makes all letters of a word lower.
      this.#facts.names.add(inLowerCase(word));
    }
    if (this.#options.reading === "body" && BODY_HEADS.has(word)) {
      this.#endStatement();
      return;
    }
    this.#name(word);
    const facts = this.#facts;
    switch (word) {
      case "insert":
      case "merge":
      case "copy":
        facts.writes = true;
        facts.inserts = true;
        break;
      case "delete":
      case "truncate":
        facts.writes = true;
        break;
      case "default":
        facts.inserts = true;
        break;
      case "update":
      case "share":
        this.#updateOrShare(word);
        break;
      case "into":
        this.#into();
        break;
      case "temp":
      case "temporary":
        this.#isTemporary ||= BEFORE_TEMPORARY.has(this.#previousWord);
        break;
      case "execute":
        facts.isDynamic ||= !NAMES_EXECUTE.has(this.#head[0] ?? "");
        break;
      case "create":
        // EXPLAIN ANALYZE makes the table of a CREATE TABLE AS.
        if (this.#head[0] === "explain") {
          this.#makesTable();
        }
        break;
      case "cascade":
        // Other tables, with triggers of their own.
        facts.taint |= this.#head[0] === "truncate" ? Taint.Unknown : Taint.None;
        break;
      case "hold":
        this.#isHeld = true;
        break;
      case "stdin":
      case "stdout":
        facts.copy ||= this.#head[0] === "copy";
        break;
      default:
    }
  }

  /** FOR [NO KEY] UPDATE, FOR [KEY] SHARE. */
  #updateOrShare(word: "update" | "share"): void {
    if (this.#previousWord === "for" || this.#previousWord === "key") {
      this.#facts.locksRows = true;
    } else {
      this.#facts.writes ||= word === "update";
    }
  }

  /** SELECT INTO makes a table. In PL/pgSQL it fills variables. */
  #into(): void {
    const isPartOfWrite = this.#previousWord === "insert" || this.#previousWord === "merge";
    if (!isPartOfWrite && READS.has(this.#head[0] ?? "")) {
      this.#makesTable();
    }
  }

  /** A query that leaves a table behind, temporary or not. */
  #makesTable(): void {
    if (this.#options.reading === "query") {
      const facts = this.#facts;
      facts.defines = true;
      facts.ddl = true;
      facts.isAlone = true;
      facts.taint |= Taint.State;
    }
  }

  #string(value: string): void {
    this.#addToHead("");
    const { facts, dialect, readsStrings, depth } = this.#options;
    // The code of a DO block, and of a function that the same text may call.
    if (!readsStrings && this.#head[0] !== "do" && this.#head[0] !== "create") {
      return;
    }
    if (depth === MAX_DEPTH) {
      facts.taint |= Taint.Lasting;
      return;
    }
    const statements = facts.statements;
    new TextReader({
      facts,
      dialect,
      reading: "body",
      readsStrings: true,
      depth: depth + 1,
    }).read(value);
    facts.statements = statements;
  }

  #addToHead(value: string): void {
    if (this.#head.length < HEAD_LENGTH) {
      this.#head.push(value);
    }
  }

  #endStatement(): void {
    const facts = this.#facts;
    const head = this.#head;
    if (head.length === 0) {
      return;
    }
    this.#statements += 1;
    const isBody = this.#options.reading === "body";
    if (EVALUATES.has(head[0] ?? "")) {
      facts.writes = true;
      facts.inserts = true;
    }
    const lead = isBody ? bodyLeadOf(head) : leadOf(head);
    facts.isAlone ||= lead.isAlone;
    facts.taint |= lead.taint;
    if (this.#isTemporary) {
      facts.taint |= Taint.State | Taint.Sequences;
      facts.isAlone = true;
    }
    if (this.#isHeld && head[0] === "declare") {
      facts.taint |= Taint.State;
    }
    facts.defines ||= lead.ddl === true;
    // What is temporary is the session's own and goes when its backend is cleaned.
    facts.ddl ||= lead.ddl === true && !this.#isTemporary;
    if (!isBody) {
      facts.opensTransaction ||= lead.opensTransaction === true;
      facts.endsTransaction ||= lead.endsTransaction === true;
    }
    facts.deallocates ||= lead.deallocates === true;
    this.#head = [];
    this.#isTemporary = false;
    this.#isHeld = false;
  }
}
