import type { PreparedText } from "@multipooler/query-service";
import { TextCache } from "../text-cache.ts";

/** Texts, their length all together, and the length of one that is remembered. */
const REMEMBERED = { maxEntries: 10_000, maxBytes: 16_777_216, maxTextBytes: 262_144 };
/** Of one text with other types, or under other settings, so many are remembered. */
const MAX_VARIANTS = 16;

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
 * is parsed under, whoever asks and whatever the caller calls it. A name is never used again, so that
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

  /**
   * What a backend had prepared as of `generation` was of no use any more: the others parse it again
   * before they use it. Only the first that finds out counts.
   */
  outdated(statement: RegisteredStatement, generation: number): void {
    if (statement.generation === generation) {
      statement.generation += 1;
    }
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
    const name = `ppstmt${this.#names}`;
    this.#names += 1;
    const statement = new RegisteredStatement(text, { name, conditions, isRemembered });
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
}

function isEqual(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((oid, index) => oid === other[index]);
}
