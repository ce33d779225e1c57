import { GatewayError } from "./error-words.ts";

/** A statement that a client has prepared, by the protocol or by SQL. */
export interface PreparedText {
  readonly name: string;
  readonly query: string;
  readonly paramTypes: readonly number[];
}

/** The types that the tests give to parameters of PREPARE. */
const TYPE_OIDS: ReadonlyMap<string, number> = new Map([
  ["bool", 16],
  ["int8", 20],
  ["bigint", 20],
  ["int", 23],
  ["int4", 23],
  ["text", 25],
]);

/** The prepared statements of a client, which only the gateway knows by their names. */
export class PreparedStatements {
  readonly #byName = new Map<string, PreparedText>();

  /** Keeps what a Parse has prepared. */
  set(prepared: PreparedText): void {
    this.#byName.set(prepared.name, prepared);
  }

  /** Refuses what PREPARE would replace; a Parse of the same name may. */
  requireNew(name: string): void {
    if (this.#byName.has(name)) {
      throw new GatewayError("42P05", `prepared statement "${name}" already exists`);
    }
  }

  get(name: string): PreparedText {
    const prepared = this.#byName.get(name);
    if (prepared === undefined) {
      throw new GatewayError("26000", `prepared statement "${name}" does not exist`);
    }
    return prepared;
  }

  delete(name: string): void {
    this.#byName.delete(name);
  }

  clear(): void {
    this.#byName.clear();
  }
}

/** The number of a type by its name. */
export function typeOid(name: string): number {
  const oid = TYPE_OIDS.get(name);
  if (oid === undefined) {
    throw new GatewayError("0A000", `the stand-in does not know the type "${name}"`);
  }
  return oid;
}
