/** A parameter of libpq that means the same as a setting here. */
export interface LibpqParameter {
  /** In a service file. */
  readonly keyword: string;
  readonly variable: string;
  /** Its value as the setting has it. Default: the same text. */
  readonly text?: (value: string) => string;
}

/** A parameter of libpq that no setting stands for. */
export interface OtherParameter {
  readonly keyword: string;
  /** `undefined`: it has none. */
  readonly variable: string | undefined;
  /**
   * Values that ask for nothing. Any other ends the start: the pooler would run without what it asks
   * for. `undefined`: every value is ignored.
   */
  readonly harmless: readonly string[] | undefined;
  /** Why it is refused or ignored, one clause. */
  readonly reason: string;
}

const OF_SESSIONS = "clients bring the settings of their sessions along";
const NO_KERBEROS = "GSSAPI is not spoken";
const TLS_VERSIONS = "TLS 1.2 and newer are spoken, as Node has it";
const OLD_TLS = ["", "TLSv1", "TLSv1.1", "TLSv1.2"] as const;

/** All of them: with the settings that have a keyword of libpq, these are all that libpq reads. */
export const otherParameters: readonly OtherParameter[] = [
  refused("requireauth", "PGREQUIREAUTH", [""], "the method of the login is PostgreSQL's choice"),
  refused("requirepeer", "PGREQUIREPEER", [""], "the owner of a Unix socket is not checked"),
  refused("sslcrl", "PGSSLCRL", [""], "lists of revoked certificates are not read"),
  refused("sslcrldir", "PGSSLCRLDIR", [""], "lists of revoked certificates are not read"),
  refused("requiressl", "PGREQUIRESSL", ["", "0"], "sslmode says it, e.g. PGSSLMODE=require"),
  refused("sslcertmode", "PGSSLCERTMODE", ["", "allow"], "a certificate is shown where one is set"),
  refused("sslpassword", undefined, [""], "a key has to be without a password"),
  refused("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", OLD_TLS, TLS_VERSIONS),
  refused("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", ["", "TLSv1.3"], TLS_VERSIONS),
  refused("gssencmode", "PGGSSENCMODE", ["", "disable", "prefer"], NO_KERBEROS),
  refused("krbsrvname", "PGKRBSRVNAME", [""], NO_KERBEROS),
  refused("gsslib", "PGGSSLIB", [""], NO_KERBEROS),
  refused("gssdelegation", "PGGSSDELEGATION", ["", "0"], NO_KERBEROS),
  refused(
    "target_session_attrs",
    "PGTARGETSESSIONATTRS",
    ["", "any"],
    "the pooler stands in front of one server, whichever role that has",
  ),
  refused("replication", undefined, ["", "false", "off", "no", "0"], "its connections run queries"),
  refused("min_protocol_version", "PGMINPROTOCOLVERSION", ["", "3.0"], "protocol 3.0 is spoken"),
  ignored("max_protocol_version", "PGMAXPROTOCOLVERSION", "protocol 3.0 is spoken"),
  ignored("load_balance_hosts", "PGLOADBALANCEHOSTS", "there is one host"),
  ignored("sslsni", "PGSSLSNI", "the name of the host is always sent"),
  ignored("sslcompression", "PGSSLCOMPRESSION", "TLS is never compressed, as in newer libpq"),
  ignored("application_name", "PGAPPNAME", "the pooler's connections say what they are for"),
  ignored("fallback_application_name", undefined, "the pooler's connections say what they are for"),
  ignored("options", "PGOPTIONS", OF_SESSIONS),
  ignored("client_encoding", "PGCLIENTENCODING", OF_SESSIONS),
  ignored("datestyle", "PGDATESTYLE", OF_SESSIONS),
  ignored("timezone", "PGTZ", OF_SESSIONS),
  ignored("geqo", "PGGEQO", OF_SESSIONS),
  ...["keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"].map((keyword) =>
    ignored(keyword, undefined, "the pooler watches over its connections itself"),
  ),
  ignored("tcp_user_timeout", undefined, "the pooler watches over its connections itself"),
];

function refused(
  keyword: string,
  variable: string | undefined,
  harmless: readonly string[],
  reason: string,
): OtherParameter {
  return { keyword, variable, harmless, reason };
}

function ignored(keyword: string, variable: string | undefined, reason: string): OtherParameter {
  return { keyword, variable, harmless: undefined, reason };
}

/** A line for each variable of libpq that asks for what is not offered. */
export function refusedVariables(
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  return otherParameters.flatMap(({ variable, ...parameter }) =>
    variable === undefined ? [] : problemsOf(variable, env[variable], parameter),
  );
}

/** A line for each variable of libpq that is set and means nothing here. */
export function ignoredVariables(
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  return otherParameters.flatMap(({ variable, ...parameter }) =>
    variable === undefined ? [] : noticesOf(variable, env[variable], parameter),
  );
}

/** A line if a value of such a parameter is ignored. Without the value, which may be anything. */
export function noticesOf(
  name: string,
  value: string | undefined,
  { harmless, reason }: Pick<OtherParameter, "harmless" | "reason">,
): readonly string[] {
  return value === undefined || value === "" || harmless !== undefined
    ? []
    : [`${name} is ignored: ${reason}`];
}

/** A line if a value of such a parameter asks for what is not offered. */
export function problemsOf(
  name: string,
  value: string | undefined,
  { harmless, reason }: Pick<OtherParameter, "harmless" | "reason">,
): readonly string[] {
  return value === undefined || harmless === undefined || harmless.includes(value)
    ? []
    : [`${name}: ${JSON.stringify(value)} asks for what is not offered: ${reason}`];
}
