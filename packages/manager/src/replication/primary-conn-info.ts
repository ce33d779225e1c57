import type { ConnInfo } from "./conn-info.ts";
import type { FollowRequest } from "./replication-control.ts";
import { invalidArgument } from "./replication-fault.ts";

/** How a standby logs in to the primary that it follows. */
export interface ReplicationLogin {
  readonly user: string;
  readonly database: string;
  /** Further keywords of libpq, which win over the login, e.g. `user`, `passfile`, `sslmode`. */
  readonly settings: () => ConnInfo;
}

const DECIDED = "it is decided when a primary is chosen";
const LOGGED = "PostgreSQL writes it to its log; name a file with passfile";

/** Keywords that a configuration may not have, and why. */
export const REFUSED_KEYWORDS: Readonly<Record<string, string>> = {
  host: DECIDED,
  hostaddr: DECIDED,
  port: DECIDED,
  application_name: DECIDED,
  replication: DECIDED,
  password: LOGGED,
  sslpassword: LOGGED,
};

/** Throws INVALID_ARGUMENT for an address that cannot be one of a primary. */
export function checkPrimaryAddress({ host, port }: Pick<FollowRequest, "host" | "port">): void {
  // A comma separates several hosts, of which libpq would take any.
  if (host === "" || Buffer.byteLength(host) > 255 || /[\s,\p{Cc}]/u.test(host)) {
    const rule = "one host name, address or socket directory without spaces";
    throw invalidArgument(`host is ${JSON.stringify(host)}; it must be ${rule}`);
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw invalidArgument(`port is ${port}; it must be a whole number from 1 to 65535`);
  }
}

/** What `primary_conninfo` is to be. `dbname` is for what PostgreSQL 17 copies of replication slots. */
export function primaryConnInfo(
  { host, port }: Pick<FollowRequest, "host" | "port">,
  {
    login,
    applicationName,
  }: { readonly login: ReplicationLogin; readonly applicationName: string },
): ConnInfo {
  checkPrimaryAddress({ host, port });
  return new Map([
    ["host", host],
    ["port", String(port)],
    ["user", login.user],
    ["application_name", applicationName],
    ["dbname", login.database],
    ...login.settings(),
  ]);
}
