import type { AdminRow } from "@multipooler/controller-api";
import { PoolerErrorCode } from "@multipooler/query-service";
import type { Diagnostic, LoginCredentials } from "@multipooler/query-service";
import { MultiPoolerError } from "../error.ts";

/** A role as `pg_authid` has it. */
export interface LoginRole {
  /** The stored password, in one of PostgreSQL's formats. */
  readonly password: string | null;
  readonly canLogin: boolean;
  readonly isExpired: boolean;
  readonly isReplicationRole: boolean;
}

/**
 * The roles of the names in `$1`, by their place in it, from 1; unknown names have no row. Everything is
 * qualified: on the database's own `search_path`, anybody's functions and operators would run as the
 * manager's role. A name is cut to 63 bytes as PostgreSQL does at a login.
 */
export const LOGIN_ROLES = `
SELECT asked.place::pg_catalog.int4 AS place,
  role.rolpassword::pg_catalog.text AS password,
  role.rolcanlogin AS can_login,
  coalesce(role.rolvaliduntil OPERATOR(pg_catalog.<) pg_catalog.clock_timestamp(), false) AS is_expired,
  role.rolreplication AS is_replication_role
FROM pg_catalog.unnest($1::pg_catalog.text[]) WITH ORDINALITY AS asked (name, place)
JOIN pg_catalog.pg_authid AS role
  ON role.rolname OPERATOR(pg_catalog.=) asked.name::pg_catalog.name`;

/** The roles in the rows of {@link LOGIN_ROLES}, by place. */
export function readLoginRoles(rows: readonly AdminRow[]): ReadonlyMap<number, LoginRole> {
  return new Map(
    rows.map((row) => {
      const password = row["password"];
      const role: LoginRole = {
        password: typeof password === "string" ? password : null,
        canLogin: row["can_login"] === true,
        isExpired: row["is_expired"] === true,
        isReplicationRole: row["is_replication_role"] === true,
      };
      return [Number(row["place"]), role];
    }),
  );
}

/**
 * What the role logs in with.
 *
 * @throws AUTHENTICATION_FAILED, with what PostgreSQL would send, for a role that cannot.
 */
export function loginCredentials(user: string, role: LoginRole): LoginCredentials {
  if (!role.canLogin) {
    const message = `role "${user}" is not permitted to log in`;
    throw refused(message, fatal("28000", message));
  }
  if (role.isExpired) {
    // Clients are not told why, as PostgreSQL does not.
    const shown = fatal("28P01", `password authentication failed for user "${user}"`);
    throw refused(`the password of role "${user}" has expired`, shown);
  }
  return {
    scramVerifier: scramVerifier(role.password),
    isReplicationRole: role.isReplicationRole,
  };
}

/** An MD5 hash is as good as the password itself, and of no use to who speaks SCRAM. */
function scramVerifier(password: string | null): string | undefined {
  return password?.startsWith("SCRAM-SHA-256$") === true ? password : undefined;
}

function refused(message: string, diagnostic: Diagnostic): MultiPoolerError {
  return new MultiPoolerError(PoolerErrorCode.AuthenticationFailed, message, { diagnostic });
}

function fatal(code: string, message: string): Diagnostic {
  return { kind: "error", severity: "FATAL", code, message };
}
