import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, PgctldError, PgctldErrorCode } from "../error.ts";
import { runProgram } from "../run/program.ts";

/** The programs that every installation has to have. */
const REQUIRED_PROGRAMS = ["postgres", "initdb"] as const;

/** One installation of PostgreSQL: the programs of one version. */
export interface Installation {
  /** Absolute path of the directory of the programs. */
  readonly binDir: string;
  /** The major version, e.g. 17. */
  readonly major: number;
  /** The version as PostgreSQL writes it, e.g. "15.14 (Debian 15.14-0+deb12u1)". */
  readonly version: string;
}

/** Looks at the programs in `binDir`. Rejects with INSTALLATION_NOT_FOUND. */
export async function openInstallation(
  binDir: string,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Installation> {
  for (const name of REQUIRED_PROGRAMS) {
    if (!(await isExecutable(join(binDir, name)))) {
      throw notFound(`there is no program ${name} in ${binDir}`);
    }
  }
  const program = join(binDir, "postgres");
  const version = await versionOf(program, signal);
  const major = Number.parseInt(version, 10);
  if (!Number.isSafeInteger(major)) {
    throw notFound(`${program} does not say which version it is: ${version}`);
  }
  return { binDir, major, version };
}

async function versionOf(program: string, signal: AbortSignal | undefined): Promise<string> {
  const request = { program, args: ["--version"], runAs: { kind: "self" } } as const;
  try {
    const { output, code } = await runProgram(request, { signal });
    const version = /^postgres \(PostgreSQL\) (.+)$/m.exec(output)?.[1]?.trim();
    if (code === 0 && version !== undefined) {
      return version;
    }
    throw notFound(`${program} cannot be run: ${output.trim()}`);
  } catch (error) {
    if (error instanceof PgctldError) {
      throw error;
    }
    throw notFound(`${program} cannot be run: ${messageOf(error)}`, error);
  }
}

/** The path of a program of an installation; `undefined` when it has none of that name. */
export async function optionalProgram(
  { binDir }: Installation,
  name: string,
): Promise<string | undefined> {
  const path = join(binDir, name);
  return (await isExecutable(path)) ? path : undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function notFound(problem: string, cause?: unknown): PgctldError {
  return new PgctldError(PgctldErrorCode.InstallationNotFound, problem, { cause });
}
