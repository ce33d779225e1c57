import { Option } from "commander";
import type { Command } from "commander";

/**
 * Flags of Multigres' multipooler that its launch lines carry and that mean nothing here, by the
 * reason. They are read from the command line and from the configuration file, take any value, and
 * are named in one line of the log, with the reason. What is in brackets after a flag is its value, as in commander:
 * `<…>` is required, `[…]` may be left out.
 *
 * A flag that gets a meaning moves to `settings.ts`.
 */
const ACCEPTED: Readonly<Record<string, readonly string[]>> = {
  "PostgreSQL is started, stopped and watched over by others": [
    "enable-slot-based-replication [bool]",
    "postgres-unrecoverable-min-attempts <number>",
    "postgres-unrecoverable-timeout <duration>",
  ],
  "there are no backups": [
    "pgbackrest-port <port>",
    "pgbackrest-cert-file <path>",
    "pgbackrest-key-file <path>",
    "pgbackrest-ca-file <path>",
    "pgbackrest-cipher-key-file <path>",
  ],
  "reserved connections are of the one pool, for which the --connpool-user-regular ones hold": [
    "connpool-user-reserved-idle-timeout <duration>",
    "connpool-user-reserved-max-lifetime <duration>",
  ],
  "the topology has time limits of its own": [
    "lock-timeout <duration>",
    "remote-operation-timeout <duration>",
    "topo-etcd-lease-ttl <seconds>",
    "topo-read-concurrency <number>",
  ],
  "the gRPC server takes any PING and adapts its windows": [
    "grpc-server-keepalive-enforcement-policy-min-time <duration>",
    "grpc-server-keepalive-enforcement-policy-permit-without-stream [bool]",
    "grpc-server-initial-conn-window-size <bytes>",
    "grpc-server-initial-window-size <bytes>",
  ],
  "--lameduck says how long the pooler serves on after the signal": ["lameduck-period <duration>"],
  "settings are not written back": ["config-persistence-min-interval <duration>"],
  "it is not a Go program": ["log-err-stacks [bool]", "pprof <spec>", "pprof-http [bool]"],
};

/** The names of these flags, without dashes. */
export const acceptedFlags: readonly string[] = Object.values(ACCEPTED).flat().map(nameOf);

/** Why one of these flags means nothing. */
export function reasonOf(flag: string): string | undefined {
  return Object.entries(ACCEPTED).find(([, flags]) =>
    flags.some((one) => nameOf(one) === flag),
  )?.[0];
}

/** Adds them to a command; its help has them in one short section. */
export function addAcceptedFlags(command: Command): Command {
  for (const flag of Object.values(ACCEPTED).flat()) {
    command.addOption(new Option(`--${flag}`).hideHelp());
  }
  return command.addHelpText("after", () =>
    acceptedFlagsHelp(command.configureHelp().helpWidth ?? DEFAULT_HELP_WIDTH),
  );
}

const DEFAULT_HELP_WIDTH = 80;

/** The section of the help: the flags by reason, and each reason once. */
function acceptedFlagsHelp(width: number): string {
  const parts = Object.entries(ACCEPTED).map(
    ([reason, flags]) =>
      `  ${reason}:\n${wrapped(
        flags.map((flag) => `--${nameOf(flag)}`),
        width - 4,
      )}`,
  );
  return `\nAccepted from launch lines of Multigres, without a meaning here:\n${parts.join("\n")}`;
}

function wrapped(words: readonly string[], width: number): string {
  const lines: string[] = [];
  for (const word of words) {
    const line = lines.at(-1);
    if (line === undefined || line.length + word.length >= width) {
      lines.push(word);
    } else {
      lines[lines.length - 1] = `${line} ${word}`;
    }
  }
  return lines.map((line) => `    ${line}`).join("\n");
}

function nameOf(flag: string): string {
  return flag.replace(/ .*/, "");
}
