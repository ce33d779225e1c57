import type { AdminRow, DatabaseHandle } from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import { BatchedLookup } from "../credentials/batched-lookup.ts";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import type { DatabaseRules } from "./database-rules.ts";

/** A database, and who wants to use it. */
export interface AccessQuestion {
  readonly database: string;
  readonly user: string;
}

/** A database that a user may use. */
export interface UsableDatabase {
  /** As the server has it: longer ones are cut to 63 bytes. */
  readonly name: string;
  readonly oid: string;
}

/** What the server says of a database, and of the user who wants to use it. */
interface DatabaseFacts extends UsableDatabase {
  readonly isTemplate: boolean;
  readonly allowsConnections: boolean;
  readonly mayConnect: boolean;
}

/**
 * The databases and users of `$1` and `$2`, by their place in these, from 1. Of a user who does not
 * exist PostgreSQL tells at the first connection.
 */
const ACCESS = `
SELECT asked.place::pg_catalog.int4 AS place,
  database.datname::pg_catalog.text AS name,
  database.oid::pg_catalog.text AS oid,
  database.datistemplate AS is_template,
  database.datallowconn AS allows_connections,
  coalesce(pg_catalog.has_database_privilege(role.oid, database.oid, 'CONNECT'), true) AS may_connect
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
  WITH ORDINALITY AS asked (name, user_name, place)
JOIN pg_catalog.pg_database AS database
  ON database.datname OPERATOR(pg_catalog.=) asked.name::pg_catalog.name
LEFT JOIN pg_catalog.pg_roles AS role
  ON role.rolname OPERATOR(pg_catalog.=) asked.user_name::pg_catalog.name`;

/** Decides who may use which database, by the operator's rules and as PostgreSQL has it now. */
export class DatabaseAccess {
  readonly #rules: () => DatabaseRules;
  readonly #facts: BatchedLookup<AccessQuestion, DatabaseFacts>;

  constructor(options: {
    /** Asked for each session. */
    readonly rules: () => DatabaseRules;
    readonly database: Pick<DatabaseHandle, "admin">;
  }) {
    const { rules, database } = options;
    this.#rules = rules;
    this.#facts = new BatchedLookup({
      keyOf: (question) => `${question.database}\0${question.user}`,
      ask: async (questions) => {
        const names = questions.map((question) => question.database);
        const users = questions.map(({ user }) => user);
        return readFacts(await database.admin(ACCESS, [names, users]));
      },
    });
  }

  /**
   * Resolves with the database, if the user may use it. Rejects with what PostgreSQL says to a
   * client: 3D000, also for a database that is not allowed, 55000 or 42501; or as the lookup fails.
   */
  async require(question: AccessQuestion): Promise<UsableDatabase> {
    const { database } = question;
    const permission = this.#rules().permission(database);
    const facts = permission === "none" ? undefined : await this.#facts.get(question);
    // A connection to a template keeps CREATE DATABASE from using it, so that it has to be named.
    if (facts === undefined || (facts.isTemplate && permission === "matched")) {
      throw unknownDatabaseError(database);
    }
    if (!facts.allowsConnections) {
      throw closedDatabaseError(database);
    }
    if (!facts.mayConnect) {
      const message = `permission denied for database "${database}"`;
      throw new MultiPoolerError(PoolerErrorCode.DatabaseError, message, {
        diagnostic: errorDiagnostic("42501", message, {
          detail: "User does not have CONNECT privilege.",
        }),
      });
    }
    return facts;
  }
}

/** In PostgreSQL's words. */
export function unknownDatabaseError(database: string): MultiPoolerError {
  const message = `database "${database}" does not exist`;
  return new MultiPoolerError(PoolerErrorCode.WrongTarget, message, {
    diagnostic: errorDiagnostic("3D000", message),
  });
}

/** In PostgreSQL's words. */
export function closedDatabaseError(database: string): MultiPoolerError {
  const message = `database "${database}" is not currently accepting connections`;
  return new MultiPoolerError(PoolerErrorCode.NotServing, message, {
    diagnostic: errorDiagnostic("55000", message),
  });
}

function readFacts(rows: readonly AdminRow[]): ReadonlyMap<number, DatabaseFacts> {
  return new Map(
    rows.map((row) => [
      Number(row["place"]),
      {
        name: String(row["name"]),
        oid: String(row["oid"]),
        isTemplate: row["is_template"] === true,
        allowsConnections: row["allows_connections"] === true,
        mayConnect: row["may_connect"] === true,
      },
    ]),
  );
}
