import { words } from "./builtin-functions.ts";
import { HEAD_LENGTH, bodyLeadOf, leadOf } from "./statement-lead.ts";
import { Taint } from "./taint.ts";
import type { TextFacts } from "./text-facts.ts";

/** How a text is read: a query string, or the code of a function, where statements nest. */
export type Reading = "query" | "body";

/** Statements that evaluate expressions of tables: of indexes, of constraints, defaults. */
const EVALUATES = new Set(words("alter create analyze analyse cluster refresh reindex vacuum"));
/** Words between CREATE or INTO and TEMPORARY. */
const BEFORE_TEMPORARY = new Set(words("create into local global replace"));
/** Statements in which EXECUTE is part of a definition or a privilege. */
const NAMES_EXECUTE = new Set(words("create alter grant revoke comment"));
/** Types and kinds of columns that draw from a sequence of their own. */
const NUMBERED = new Set(words("serial serial2 serial4 serial8 smallserial bigserial identity"));
const READS = new Set(words("select values table with explain"));

/** Takes the tokens of one statement after the other and adds to the facts of their text. */
export class StatementReader {
  readonly #facts: TextFacts;
  readonly #reading: Reading;
  /** The first tokens of the current statement: names, or empty for others. */
  #head: string[] = [];
  #isExplained = false;
  #isTemporary = false;
  #isHeld = false;
  /** A column is added that every row gets a number in. */
  #fillsColumn = false;
  #count = 0;

  constructor(facts: TextFacts, reading: Reading) {
    this.#facts = facts;
    this.#reading = reading;
  }

  /** Statements that have ended. */
  get count(): number {
    return this.#count;
  }

  /** The first name of the current statement, if that is how it begins. */
  get lead(): string {
    return this.#head[0] ?? "";
  }

  /** Takes a token: a name, or nothing for others. A query may begin with parentheses. */
  take(name: string, isParenthesis = false): void {
    this.#fillsColumn ||= this.lead === "alter" && NUMBERED.has(name);
    if (this.#head.length < HEAD_LENGTH && !(isParenthesis && this.#head.length === 0)) {
      this.#head.push(name);
    }
  }

  /** Takes what a word means beyond being a token. */
  word(word: string, previousWord: string): void {
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
        this.#updateOrShare(word, previousWord);
        break;
      case "into":
        // SELECT INTO makes a table. In PL/pgSQL it fills variables.
        if (previousWord !== "insert" && previousWord !== "merge") {
          facts.writesUnseen ||= this.#isExplained;
          if (READS.has(this.lead)) {
            this.#makesTable();
          }
        }
        break;
      case "create":
        // EXPLAIN ANALYZE makes the table of a CREATE TABLE AS.
        facts.writesUnseen ||= this.#isExplained;
        if (this.lead === "explain") {
          this.#makesTable();
        }
        break;
      case "explain":
        this.#isExplained = true;
        break;
      case "temp":
      case "temporary":
        this.#isTemporary ||= BEFORE_TEMPORARY.has(previousWord);
        break;
      case "execute":
        facts.isDynamic ||= !NAMES_EXECUTE.has(this.lead);
        break;
      case "cascade":
        // Other tables, with triggers of their own.
        facts.taint |= this.lead === "truncate" ? Taint.Unknown : Taint.None;
        break;
      case "hold":
        this.#isHeld = true;
        break;
      case "stdin":
      case "stdout":
        // PostgreSQL takes either word for both; a query in parentheses may have such names, too.
        if (this.lead === "copy" && (previousWord === "from" || previousWord === "to")) {
          facts.copy = previousWord === "from" ? "in" : "out";
        }
        break;
      default:
    }
  }

  /** The statement has ended; the next one may begin. */
  end(): void {
    const head = this.#head;
    if (head.length === 0) {
      return;
    }
    const facts = this.#facts;
    const isBody = this.#reading === "body";
    const lead = isBody ? bodyLeadOf(head) : leadOf(head);
    this.#count += 1;
    facts.isAlone ||= lead.isAlone || this.#isTemporary;
    facts.taint |= lead.taint;
    facts.taint |= this.#isTemporary ? Taint.Temporary : Taint.None;
    facts.makesTemporary ||= this.#isTemporary;
    facts.taint |= this.#isHeld && this.lead === "declare" ? Taint.State : Taint.None;
    facts.writes ||= EVALUATES.has(this.lead);
    facts.inserts ||= EVALUATES.has(this.lead);
    facts.taint |= this.#fillsColumn ? Taint.Sequences : Taint.None;
    facts.defines ||= lead.ddl === true;
    // What is temporary is the session's own and goes when its backend is cleaned.
    facts.ddl ||= lead.ddl === true && !this.#isTemporary;
    facts.opensTransaction ||= !isBody && lead.opensTransaction === true;
    facts.endsTransaction ||= !isBody && lead.endsTransaction === true;
    facts.deallocates ||= lead.deallocates === true;
    facts.setsLocally ||= lead.setsLocally === true;
    facts.runsCode ||= this.lead === "do";
    this.#head = [];
    this.#isExplained = false;
    this.#isTemporary = false;
    this.#isHeld = false;
    this.#fillsColumn = false;
  }

  /** FOR [NO KEY] UPDATE, FOR [KEY] SHARE. */
  #updateOrShare(word: "update" | "share", previousWord: string): void {
    if (previousWord === "for" || previousWord === "key") {
      this.#facts.locksRows = true;
    } else {
      this.#facts.writes ||= word === "update";
    }
  }

  /** A query that leaves a table behind, temporary or not. */
  #makesTable(): void {
    if (this.#reading === "query") {
      const facts = this.#facts;
      facts.defines = true;
      facts.ddl = true;
      facts.isAlone = true;
      facts.taint |= Taint.Temporary;
    }
  }
}
