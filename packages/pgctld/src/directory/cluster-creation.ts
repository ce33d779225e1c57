import { chown, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf } from "../error.ts";
import type { Installation } from "../installation/installation.ts";
import { leastPrivilege } from "../run/run-as.ts";
import type { RunAs, User } from "../run/run-as.ts";
import { accessRulesText } from "./access-rules.ts";
import type { AccessRules } from "./access-rules.ts";
import { writeConfiguration } from "./configuration.ts";
import type { ServerSettings } from "./configuration.ts";
import { unusable } from "./data-directory.ts";
import { initdbArguments, runInitdb } from "./initdb.ts";
import type { InitdbOptions } from "./initdb.ts";
import { writeAsServer } from "./server-file.ts";

/** What is put into a new data directory. */
export interface ClusterOptions extends InitdbOptions {
  readonly installation: Installation;
  /** The superuser's password. */
  readonly password: string;
  readonly settings: ServerSettings;
  readonly access: AccessRules;
  /** Whom the files are to belong to; `undefined`: to this process' user. */
  readonly owner: User | undefined;
}

/**
 * Makes a cluster at `dataDir`, which must be absent or empty. One that is cut short leaves nothing
 * there: the cluster is built beside it and moved into place whole. Resolves with the way in which
 * programs run that work with it.
 *
 * Rejects with INITDB_FAILED, NOT_PERMITTED, DIRECTORY_UNUSABLE, IO_FAILED, CANCELLED.
 */
export async function createCluster(
  dataDir: string,
  options: ClusterOptions,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<RunAs> {
  const { installation, owner, password, settings, access } = options;
  const hba = accessRulesText(access);
  const staging = await makeStaging(dataDir);
  try {
    const initdb = join(installation.binDir, "initdb");
    let runAs: RunAs = { kind: "self" };
    if (owner !== undefined) {
      await chown(staging, owner.uid, owner.gid);
      runAs = await leastPrivilege(owner, { initdb, directory: staging });
    }
    const passwordFile = join(staging, "password");
    await writeAsServer(staging, "password", `${password}\n`);
    const made = join(staging, "data");
    const target = { dataDir: made, passwordFile, major: installation.major };
    await runInitdb(initdb, initdbArguments(options, target), { runAs, signal });
    await writeAsServer(made, "pg_hba.conf", hba);
    await writeConfiguration(made, settings);
    await moveIntoPlace(made, dataDir);
    return runAs;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** On the same file system as `dataDir`, so that its content can be moved there. */
async function makeStaging(dataDir: string): Promise<string> {
  try {
    await mkdir(dirname(dataDir), { recursive: true });
    return await mkdtemp(`${dataDir}.init-`);
  } catch (cause) {
    throw unusable(dataDir, messageOf(cause), cause);
  }
}

async function moveIntoPlace(made: string, dataDir: string): Promise<void> {
  try {
    await rename(made, dataDir);
  } catch (cause) {
    throw unusable(dataDir, `it has changed meanwhile (${messageOf(cause)})`, cause);
  }
}
