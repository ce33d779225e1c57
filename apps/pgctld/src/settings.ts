import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";

/** What every command takes, as commander hands it over. */
export interface ServerFlags {
  readonly poolerDir: string;
  readonly pgDataDir?: string;
  readonly pgBinDir?: string;
  readonly pgPort: number;
  readonly pgListenAddresses: string;
  readonly pgUser: string;
  readonly pgDatabase: string;
  readonly pgPasswordFile?: string;
  readonly pgInitdbArgs: readonly string[];
  readonly pgSetting: Readonly<Record<string, string>>;
  readonly pgAllowNetwork: readonly string[];
  readonly pgRunAs?: string;
  /** Milliseconds. */
  readonly timeout: number;
}

/** What `pgctld server` takes besides. */
export interface DaemonFlags {
  readonly grpcPort: number;
  readonly grpcBindAddress: string;
  readonly grpcSocketFile?: string;
  readonly httpPort: number;
  readonly bindAddress: string;
  readonly logLevel: string;
  readonly logOutput: string;
}

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
const MAX_TIMEOUT_MS = 86_400_000;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Flags of Multigres' pgctld that mean nothing here: they are taken and said to be without effect. */
export const FLAGS_WITHOUT_EFFECT = [
  "pgbackrest-port",
  "pgbackrest-cert-dir",
  "service-map",
  "config-file-not-found-handling",
] as const;

/** Adds the flags that say which server is controlled. */
export function addServerFlags(command: Command): Command {
  return command
    .addOption(
      flag("pooler-dir <path>", "directory of the log, the lock, the sockets and the password file")
        .argParser(path)
        .makeOptionMandatory(),
    )
    .addOption(
      flag(
        "pg-data-dir <path>",
        "the data directory (default: PGDATA, or pg_data in --pooler-dir)",
      ).argParser(path),
    )
    .addOption(
      flag(
        "pg-bin-dir <path>",
        "directory of PostgreSQL's programs (default: looked for)",
      ).argParser(path),
    )
    .addOption(flag("pg-port <port>", "PostgreSQL's port", "-p").argParser(port).default(5432))
    .addOption(
      flag("pg-listen-addresses <list>", "addresses PostgreSQL listens on").default("127.0.0.1"),
    )
    .addOption(flag("pg-user <name>", "the superuser", "-U").default("postgres"))
    .addOption(
      flag("pg-database <name>", "the database that exists in every cluster", "-D")
        .argParser(onlyDatabase)
        .default("postgres"),
    )
    .addOption(
      flag("pg-password-file <path>", "file with the superuser's password, on one line").argParser(
        path,
      ),
    )
    .addOption(
      flag("pg-initdb-args <text>", "further arguments of initdb, separated by blanks")
        .argParser(words)
        .default([], "none"),
    )
    .addOption(
      flag("pg-setting <name=value>", "a setting of PostgreSQL; may be repeated")
        .argParser(setting)
        .default({}, "none"),
    )
    .addOption(
      flag("pg-allow-network <cidr>", "a network that may log in to a new cluster; repeatable")
        .argParser(collect)
        .default([], "this machine only"),
    )
    .addOption(flag("pg-run-as <user>", "as root: the owner of a new data directory"))
    .addOption(
      flag("timeout <time>", "how long a start or stop may take: 60, 60s, 2m", "-t")
        .argParser(timeout)
        .default(60_000, "60s"),
    );
}

/** Adds the flags of the daemon. */
export function addDaemonFlags(command: Command): Command {
  command
    .addOption(flag("grpc-port <port>", "port of the gRPC service").argParser(port).default(15_470))
    .addOption(flag("grpc-bind-address <address>", "its address").default("127.0.0.1"))
    .addOption(
      flag("grpc-socket-file <path>", "a unix socket for it, in place of the port").argParser(path),
    )
    .addOption(
      flag("http-port <port>", "port of /live and /ready; 0 for none")
        .argParser(portOrNone)
        .default(0, "none"),
    )
    .addOption(flag("bind-address <address>", "its address").default("127.0.0.1"))
    .addOption(flag("log-level <level>", LOG_LEVELS.join(", ")).choices(LOG_LEVELS).default("info"))
    .addOption(
      flag("log-output <where>", "stdout, stderr or a file").argParser(logOutput).default("stderr"),
    );
  for (const name of FLAGS_WITHOUT_EFFECT) {
    command.addOption(new Option(`--${name} <value>`, "without effect").hideHelp());
  }
  return command;
}

/** The superuser's password: from the file, or from the environment as Docker's image has it. */
export function passwordOf(
  file: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const named = file ?? env["POSTGRES_PASSWORD_FILE"];
  if (named !== undefined && named !== "") {
    return readFileSync(named, "utf8").replace(/\r?\n$/, "");
  }
  const given = env["POSTGRES_PASSWORD"];
  return given === "" ? undefined : given;
}

function flag(flags: string, help: string, short?: string): Option {
  const [name = ""] = flags.split(" ");
  const option = new Option(`${short === undefined ? "" : `${short}, `}--${flags}`, help);
  return option.env(`MULTIPOOLER_${name.replaceAll("-", "_").toUpperCase()}`);
}

function path(text: string): string {
  if (text === "") {
    throw new InvalidArgumentError("It must be a path.");
  }
  return resolve(text);
}

function port(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > 65_535) {
    throw new InvalidArgumentError("It must be a port from 1 to 65535.");
  }
  return number;
}

function portOrNone(text: string): number {
  return text === "0" ? 0 : port(text);
}

/** A time with a unit, or in seconds as Multigres has it. */
function timeout(text: string): number {
  const [, amount = "", unit = "s"] = /^(\d+)(ms|s|m|h)?$/.exec(text) ?? [];
  const ms = Number(amount) * (UNIT_MS[unit] ?? 0);
  if (amount === "" || ms < 1 || ms > MAX_TIMEOUT_MS) {
    throw new InvalidArgumentError("It must be a time up to 24h, such as 60, 500ms, 30s or 2m.");
  }
  return ms;
}

function onlyDatabase(text: string): string {
  if (text !== "postgres") {
    throw new InvalidArgumentError("Other databases than postgres are made by CREATE DATABASE.");
  }
  return text;
}

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, ...text.split(",").map((part) => part.trim())];
}

function setting(
  text: string,
  before: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const [, name, value] = /^([^=\s]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new InvalidArgumentError("It must be name=value, such as shared_buffers=1GB.");
  }
  return { ...before, [name]: value };
}

function logOutput(text: string): string {
  return text === "stdout" || text === "stderr" ? text : path(text);
}
