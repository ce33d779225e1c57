import { shownName, suggestion } from "./nearest-name.ts";
import type { SettingTable } from "./setting.ts";

const PREFIX = "MULTIPOOLER_";
/** Variables with the prefix that are no settings of a table. */
const OTHERS = ["MULTIPOOLER_ADDRESS", "MULTIPOOLER_CONFIG_FILE", "MULTIPOOLER_TOKEN_FILE"];

// What Kubernetes sets for a service: https://kubernetes.io/docs/tutorials/services/connect-applications-service/
const SERVICE_VARIABLE =
  /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;
const SERVICE_ADDRESS = /^(?:tcp|udp|sctp):\/\//;

/**
 * Whether Kubernetes has set a variable, for a service whose name begins with "multipooler": one named
 * "multipooler-grpc" gives every container a MULTIPOOLER_GRPC_PORT such as "tcp://10.0.0.1:15270".
 */
export function isOfKubernetes(name: string, value: string): boolean {
  return (
    name.startsWith(PREFIX) &&
    (SERVICE_VARIABLE.test(name) || (name.endsWith("_PORT") && SERVICE_ADDRESS.test(value)))
  );
}

interface UnknownVariable {
  readonly name: string;
  /** Words with the setting that it is like; empty if it is like none. */
  readonly meant: string;
}

/** One line for each MULTIPOOLER_ variable that is a mistyped setting. */
export function mistypedVariables(
  table: SettingTable,
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  return unknownVariables(table, env)
    .filter(({ meant }) => meant !== "")
    .map(({ name, meant }) => `${shownName(name)}: there is no such setting${meant}`);
}

/**
 * One line for each MULTIPOOLER_ variable that is like no setting, and for those of OpenTelemetry that are
 * none. They are no mistake of which a start could be sure: others than the program may use the prefix.
 */
export function foreignVariables(
  table: SettingTable,
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const own = unknownVariables(table, env)
    .filter(({ meant }) => meant === "")
    .map(({ name }) => `${shownName(name)} is ignored: there is no such setting`);
  const read = Object.values(table).flatMap((setting) => setting.env);
  const others = Object.keys(env).filter(
    (name) => name.startsWith("OTEL_") && !read.includes(name),
  );
  const why = `is ignored: of OpenTelemetry's variables only ${read.filter((name) => name.startsWith("OTEL_")).join(" and ")} are read`;
  return [...own, ...others.map((name) => `${shownName(name)} ${why}`)];
}

/** Variables with the prefix that neither a setting nor Kubernetes has. */
function unknownVariables(
  table: SettingTable,
  env: Readonly<Record<string, string | undefined>>,
): readonly UnknownVariable[] {
  const known = new Set([...OTHERS, ...Object.values(table).flatMap((setting) => setting.env)]);
  return Object.entries(env)
    .filter(
      ([name, value]) =>
        name.startsWith(PREFIX) && !known.has(name) && !isOfKubernetes(name, value ?? ""),
    )
    .map(([name]) => ({ name, meant: suggestion(name, known) }));
}
