import { join } from "node:path";
import {
  findInstallation,
  LocalPostgres,
  majorOf,
  openInstallation,
  PgctldError,
  PgctldErrorCode,
  userNamed,
} from "@multipooler/pgctld";
import type { Installation, Logger, User } from "@multipooler/pgctld";
import { passwordOf } from "./settings.ts";
import type { ServerFlags } from "./settings.ts";

/** Variables of the environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What a command works with. */
export interface Controlled {
  readonly postgres: LocalPostgres;
  readonly dataDir: string;
  readonly password: string;
}

/** Builds the control of the server that the flags name. Rejects with a `PgctldError`. */
export async function controlOf(
  flags: ServerFlags,
  { env, logger }: { readonly env: Environment; readonly logger: Logger },
): Promise<Controlled> {
  const dataDir = flags.pgDataDir ?? env["PGDATA"] ?? join(flags.poolerDir, "pg_data");
  const password = requirePassword(flags, env);
  const postgres = new LocalPostgres({
    installation: await installationFor(flags, dataDir, env),
    dataDir,
    stateDir: flags.poolerDir,
    password,
    port: flags.pgPort,
    listenAddresses: flags.pgListenAddresses,
    user: flags.pgUser,
    settings: flags.pgSetting,
    access: { networks: flags.pgAllowNetwork },
    initdbArguments: flags.pgInitdbArgs,
    osUser: await osUserOf(flags.pgRunAs),
    // For archive and restore commands.
    environment: env["PATH"] === undefined ? {} : { PATH: env["PATH"] },
    startTimeoutMs: flags.timeout,
    stopTimeoutMs: flags.timeout,
    promoteTimeoutMs: flags.timeout,
    logger,
  });
  return { postgres, dataDir, password };
}

/** The programs that are named, or those of the version that made the data directory. */
async function installationFor(
  { pgBinDir }: ServerFlags,
  dataDir: string,
  env: Environment,
): Promise<Installation> {
  if (pgBinDir !== undefined) {
    return await openInstallation(pgBinDir);
  }
  return await findInstallation({
    major: await majorOf(dataDir),
    path: env["PATH"],
    // The npm package may be installed beside this program, or where it is started.
    embeddedFrom: [import.meta.url, join(process.cwd(), "package.json")],
  });
}

function requirePassword({ pgPasswordFile }: ServerFlags, env: Environment): string {
  let password: string | undefined;
  try {
    password = passwordOf(pgPasswordFile, env);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalid(`the password file cannot be read: ${reason}`, cause);
  }
  if (password === undefined) {
    throw invalid(
      "the superuser's password is missing: set --pg-password-file, POSTGRES_PASSWORD_FILE or POSTGRES_PASSWORD",
    );
  }
  return password;
}

async function osUserOf(name: string | undefined): Promise<User | undefined> {
  if (name === undefined) {
    return undefined;
  }
  const user = await userNamed(name);
  if (user === undefined) {
    throw invalid(`--pg-run-as: there is no user ${JSON.stringify(name)}`);
  }
  return user;
}

function invalid(problem: string, cause?: unknown): PgctldError {
  return new PgctldError(PgctldErrorCode.InvalidArgument, problem, { cause });
}
