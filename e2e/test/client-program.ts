import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import type { ClientAddress } from "./client-pooler.ts";

const run = promisify(execFile);

/** Where Debian, Homebrew and PostgreSQL's own packages put them. */
const FOLDERS = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];

const MAX_OUTPUT_BYTES = 67_108_864;

/** What a program printed, also where it failed. */
export interface ProgramOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** A program of PostgreSQL's that is on this machine or not. */
export class ClientProgram {
  readonly name: string;
  readonly #folders: readonly string[];
  readonly #path: string | undefined;

  constructor(name: string, folders: readonly string[] = FOLDERS) {
    this.name = name;
    this.#folders = folders;
    this.#path = folders.map((folder) => `${folder}/${name}`).find((path) => existsSync(path));
  }

  /** Says so where it is not, since its tests are skipped then. */
  get isMissing(): boolean {
    const isMissing = this.#path === undefined;
    if (isMissing) {
      const places = this.#folders.join(", ");
      console.log(`${this.name} is not installed (looked in ${places}): its tests are skipped`);
    }
    return isMissing;
  }

  /** Runs it as a client of this address. */
  async run(
    address: ClientAddress,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<ProgramOutput> {
    const { host, port, user, password, database } = address;
    const connection = {
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user,
      PGPASSWORD: password,
      PGDATABASE: database,
      LC_ALL: "C.UTF-8",
    };
    const options = { env: { ...connection, ...env }, maxBuffer: MAX_OUTPUT_BYTES };
    return await run(this.#path ?? this.name, args, options).catch((error: unknown) => {
      if (error instanceof Error && "stdout" in error && "stderr" in error) {
        return { stdout: String(error.stdout), stderr: String(error.stderr) };
      }
      throw error;
    });
  }
}
