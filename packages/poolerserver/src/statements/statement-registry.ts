import type { PreparedText } from "@multipooler/query-service";
import { TextCache } from "../text-cache.ts";

/** Texts, their length all together, and the length of one that is remembered. */
const REMEMBERED = { maxEntries: 10_000, maxBytes: 16_777_216, maxTextBytes: 262_144 };
/** Of one text with other types, or under other settings, so many are remembered. */
const MAX_VARIANTS = 16;

/** How the names of statements begin that the pooler gives. */
export const STATEMENT_PREFIX = "ppstmt";

/** A statement under the one name that it has on every backend. */
export class RegisteredStatement {
  readonly name: string;
  readonly sql: string;
  readonly parameterTypes: readonly number[];
  readonly conditions: string;
  /** Whether the next caller gets it too. */
  readonly isRemembered: boolean;
  /** Grows when what the backends have prepared is of no use any more. */
  generation = 0;
  /** By user: how often its columns were found to be others than clients had been told. */
  readonly changes: Map<string, number> = new Map();
  /** By user: as of which count of changes of the catalog the server has parsed it. */
  readonly accepted: Map<string, number> = new Map();

  constructor(
    text: PreparedText,
    options: {
      readonly name: string;
      readonly conditions: string;
      readonly isRemembered: boolean;
    },
  ) {
    this.sql = text.sql;
    this.parameterTypes = text.parameterTypes;
    this.name = options.name;
    this.conditions = options.conditions;
    this.isRemembered = options.isRemembered;
  }

  /** Bytes of text, roughly. */
  get byteLength(): number {
    return this.sql.length + 4 * this.parameterTypes.length;
  }
}

/**
 * The prepared statements of a pooler: one name for each text, its types and the settings that it
 * is parsed under, whichever caller asks and whatever name it uses. A name is never used again, so that
 * what the registry has forgotten may still be on a backend.
 */
export class StatementRegistry {
  readonly #texts = new TextCache<RegisteredStatement[]>(REMEMBERED);
  #names = 0;
  #ddlCount = 0;

  /** How often the catalog may have changed. */
  get ddlCount(): number {
    return this.#ddlCount;
  }

  /** @param conditions the settings that decide what the text means; see `parseConditions` */
  find(text: PreparedText, conditions: string): RegisteredStatement {
    const { sql, parameterTypes } = text;
    const variants = this.#texts.get(sql);
    const known = variants?.find(
      (variant) =>
        variant.conditions === conditions && isEqual(variant.parameterTypes, parameterTypes),
    );
    return known ?? this.#add(text, conditions, variants);
  }

  /** A statement that nobody else gets. */
  addPrivate(text: PreparedText): RegisteredStatement {
    return this.#name(text, "", false);
  }

  /**
   * What a backend had prepared as of `generation` was of no use any more: the others parse it again
   * before they use it. Only the first that finds out counts.
   *
   * @param user whose clients were told columns that are others now: names may mean other tables to
   * others, and to a session with temporary ones, which names nobody
   */
  outdated(statement: RegisteredStatement, generation: number, user?: string): void {
    if (statement.generation !== generation) {
      return;
    }
    statement.generation += 1;
    if (user !== undefined) {
      statement.changes.set(user, (statement.changes.get(user) ?? 0) + 1);
    }
  }

  /** The server has parsed `statement` for a user, as of a count of changes. */
  noteAccepted({ accepted }: RegisteredStatement, user: string, ddlCount: number): void {
    accepted.set(user, ddlCount);
  }

  /** Whether the server has parsed it for that user since the catalog was last seen to change. */
  isAccepted({ accepted }: RegisteredStatement, user: string): boolean {
    return accepted.get(user) === this.#ddlCount;
  }

  /** The catalog may have changed. */
  noteDdl(): void {
    this.#ddlCount += 1;
  }

  #add(
    text: PreparedText,
    conditions: string,
    variants: RegisteredStatement[] | undefined,
  ): RegisteredStatement {
    const isRemembered = this.#texts.takes(text.sql);
    const statement = this.#name(text, conditions, isRemembered);
    if (variants === undefined) {
      this.#texts.set(text.sql, [statement]);
    } else {
      variants.push(statement);
      if (variants.length > MAX_VARIANTS) {
        variants.shift();
      }
    }
    return statement;
  }

  #name(text: PreparedText, conditions: string, isRemembered: boolean): RegisteredStatement {
    const name = `${STATEMENT_PREFIX}${this.#names}`;
    this.#names += 1;
    return new RegisteredStatement(text, { name, conditions, isRemembered });
  }
}

function isEqual(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((oid, index) => oid === other[index]);
}
