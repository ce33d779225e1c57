import { isIP } from "node:net";
import { invalidArgument } from "../error.ts";

/** How clients prove who they are. */
export type AuthMethod = "trust" | "scram-sha-256" | "peer" | "reject";

const AUTH_METHODS: readonly string[] = ["trust", "scram-sha-256", "peer", "reject"];
/** Words that pg_hba.conf has for addresses. */
const ADDRESS_WORDS: readonly string[] = ["all", "samehost", "samenet"];
const LOOPBACK = ["127.0.0.1/32", "::1/128"] as const;

/** Who may connect to a server, and how they prove who they are. */
export interface AccessRules {
  /** On the unix socket. */
  readonly local: AuthMethod;
  /** Over TCP from this machine. */
  readonly loopback: AuthMethod;
  /**
   * Further networks, which log in by scram-sha-256: "10.0.0.0/8", "fd00::/8", "samenet", "all".
   * Replication, and thus standbys, included.
   */
  readonly networks: readonly string[];
}

/** The text of pg_hba.conf. @throws INVALID_ARGUMENT for what PostgreSQL would not take */
export function accessRulesText({ local, loopback, networks }: AccessRules): string {
  const hosts = [
    ...LOOPBACK.map((address) => [address, loopback] as const),
    ...networks.map((network) => [checkNetwork(network), "scram-sha-256"] as const),
  ];
  return [
    "# Written by pgctld when the data directory was made; yours to change.",
    "# TYPE  DATABASE     USER  ADDRESS  METHOD",
    `local   all          all            ${local}`,
    `local   replication  all            ${local}`,
    ...hosts.flatMap(([address, method]) => [
      `host    all          all   ${address}  ${method}`,
      `host    replication  all   ${address}  ${method}`,
    ]),
    "",
  ].join("\n");
}

/** A method as a text names it. @throws INVALID_ARGUMENT, naming `setting` */
export function parseAuthMethod(setting: string, text: string): AuthMethod {
  switch (text) {
    case "trust":
    case "scram-sha-256":
    case "peer":
    case "reject":
      return text;
    default:
      throw invalidArgument(
        `${setting} must be one of ${AUTH_METHODS.join(", ")}, not ${JSON.stringify(text)}`,
      );
  }
}

function checkNetwork(network: string): string {
  const [address = "", prefix, ...rest] = network.split("/");
  const family = isIP(address);
  const bits = Number(prefix);
  const inRange = prefix !== undefined && /^\d+$/.test(prefix) && bits <= (family === 4 ? 32 : 128);
  if (ADDRESS_WORDS.includes(network) || (family !== 0 && inRange && rest.length === 0)) {
    return network;
  }
  throw invalidArgument(
    `a network must be an address with a prefix length, such as 10.0.0.0/8, or one of ${ADDRESS_WORDS.join(", ")}, not ${JSON.stringify(network)}`,
  );
}
