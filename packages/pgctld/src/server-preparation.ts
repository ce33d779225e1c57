import { chmod, chown, mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { accessRulesText } from "./directory/access-rules.ts";
import { writeConfiguration, writeMissingAccessRules } from "./directory/configuration.ts";
import { checkMajor, checkOwner, inspectDataDirectory } from "./directory/data-directory.ts";
import { writeAsServer } from "./directory/server-file.ts";
import { hasErrno, ioFailed, PgctldError, PgctldErrorCode } from "./error.ts";
import type { ResolvedOptions } from "./local-postgres-options.ts";
import { passwordFileText } from "./rewind/conn-info.ts";
import { isRoot, leastPrivilege, unprivilegedUser } from "./run/run-as.ts";
import type { RunAs, User } from "./run/run-as.ts";

const PASSWORD_FILE = "pgpass";
/** What PostgreSQL allows to others of its data directory: its group may read it. */
const ALLOWED_MODE = 0o750;

/** Finds out as whom a server runs, and puts what it needs around its data directory. */
export class ServerPreparation {
  readonly #options: ResolvedOptions;
  #found: { readonly uid: number; readonly runAs: RunAs } | undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
  }

  /** Where the superuser's password is, for libpq. */
  get passwordFile(): string {
    return join(this.#options.stateDir, PASSWORD_FILE);
  }

  /** Makes the directory of this package's files, if it is not there. */
  async stateDirectory(): Promise<void> {
    await makeDirectory(this.#options.stateDir, await this.newOwner());
  }

  /** Whom new files are to belong to; `undefined`: to this process' user. */
  async newOwner(): Promise<User | undefined> {
    if (!isRoot()) {
      return undefined;
    }
    const { dataDir, osUser } = this.#options;
    const owner = await stat(dataDir).catch(() => undefined);
    return await unprivilegedUser(owner, osUser);
  }

  /**
   * Looks at the cluster without changing anything. Rejects with NOT_INITIALIZED, WRONG_VERSION,
   * DIRECTORY_UNUSABLE, NOT_PERMITTED.
   */
  async runAs(): Promise<RunAs> {
    const { dataDir, installation } = this.#options;
    const found = await inspectDataDirectory(dataDir);
    if (found.kind === "absent") {
      throw new PgctldError(
        PgctldErrorCode.NotInitialized,
        `the data directory ${dataDir} is not initialized`,
      );
    }
    checkMajor(dataDir, found.major, installation.major);
    checkOwner(dataDir, found.owner);
    if (!isRoot()) {
      return { kind: "self" };
    }
    const { owner } = found;
    if (this.#found?.uid !== owner.uid) {
      const initdb = join(installation.binDir, "initdb");
      const runAs = await leastPrivilege(owner, { initdb, directory: dataDir });
      this.#found = { uid: owner.uid, runAs };
    }
    return this.#found.runAs;
  }

  /** The way to run programs is known: looking for it costs a program each time. */
  found(runAs: RunAs): void {
    if (runAs.kind !== "self") {
      this.#found = { uid: runAs.user.uid, runAs };
    }
  }

  /** Writes the password where libpq finds it, so that only the server's user reads it. */
  async writePasswordFile(): Promise<void> {
    const { stateDir, user, password } = this.#options;
    await writeAsServer(stateDir, PASSWORD_FILE, passwordFileText(user, password));
    const owner = await this.newOwner();
    if (owner !== undefined) {
      await chown(this.passwordFile, owner.uid, owner.gid);
    }
  }

  /** Writes and makes everything that a start needs besides the data. */
  async beforeStart(): Promise<void> {
    const { dataDir, socketDir, settings, access } = this.#options;
    await tightenPermissions(dataDir);
    await makeDirectory(socketDir, await this.newOwner());
    await this.writePasswordFile();
    await writeConfiguration(dataDir, settings);
    await writeMissingAccessRules(dataDir, accessRulesText(access));
  }
}

/** Volumes are often mounted with more permissions than PostgreSQL starts with. */
async function tightenPermissions(dataDir: string): Promise<void> {
  try {
    const { mode } = await stat(dataDir);
    if ((mode & 0o777 & ~ALLOWED_MODE) !== 0) {
      await chmod(dataDir, mode & ALLOWED_MODE);
    }
  } catch (error) {
    throw ioFailed(`the permissions of ${dataDir} cannot be set`, error);
  }
}

/** Makes a directory that everyone may enter; one that is there stays as it is. */
async function makeDirectory(path: string, owner: User | undefined): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await mkdir(path, { mode: 0o755 });
    if (owner !== undefined) {
      await chown(path, owner.uid, owner.gid);
    }
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) {
      throw ioFailed(`the directory ${path} cannot be made`, error);
    }
  }
}
