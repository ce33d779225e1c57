import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { lchown, mkdir, open, symlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeFailed } from "./error.ts";
import type { TarEntry, TarSink } from "./tar-reader.ts";

/** Whom files are to belong to. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A file that was written. */
export interface WrittenFile {
  readonly size: number;
  /** SHA-256, in hexadecimal digits. */
  readonly checksum: string;
}

/** Where an archive is unpacked, and how. */
export interface ExtractionOptions {
  /** The directory to unpack into, which is there. */
  readonly directory: string;
  /** What the manifest puts before the paths of this archive: "" or "pg_tblspc/16384/". */
  readonly prefix: string;
  /** `undefined`: this process' user. */
  readonly owner: Owner | undefined;
  /** Sync each file to disk. */
  readonly durable: boolean;
  /** Where a symbolic link leads here, by its path in the archive. */
  readonly links: ReadonlyMap<string, string>;
  /** Takes what was written, by the path in the manifest. */
  readonly written: Map<string, WrittenFile>;
}

interface OpenFile {
  readonly path: string;
  readonly file: FileHandle;
  readonly hash: Hash;
  size: number;
}

/** Unpacks an archive of a base backup. */
export class Extraction implements TarSink, AsyncDisposable {
  readonly #options: ExtractionOptions;
  /** Directories of this archive, for the sync at its end. */
  readonly #directories = new Set<string>();
  #open: OpenFile | undefined;

  constructor(options: ExtractionOptions) {
    this.#options = options;
    this.#directories.add(options.directory);
  }

  async begin(entry: TarEntry): Promise<void> {
    const path = join(this.#options.directory, entry.path);
    try {
      switch (entry.type) {
        case "directory":
          await mkdir(path, { mode: entry.mode, recursive: true });
          this.#directories.add(path);
          break;
        case "link":
          await symlink(this.#options.links.get(entry.path) ?? entry.target, path);
          break;
        case "file":
          await mkdir(dirname(path), { mode: 0o700, recursive: true });
          this.#open = {
            path: entry.path,
            file: await open(path, "wx", entry.mode),
            hash: createHash("sha256"),
            size: 0,
          };
      }
      const { owner } = this.#options;
      if (owner !== undefined) {
        await lchown(path, owner.uid, owner.gid);
      }
    } catch (error) {
      throw writeFailed(path, error);
    }
  }

  async data(bytes: Buffer): Promise<void> {
    const current = this.#open;
    if (current === undefined) {
      return;
    }
    try {
      await current.file.writeFile(bytes);
    } catch (error) {
      throw writeFailed(join(this.#options.directory, current.path), error);
    }
    current.hash.update(bytes);
    current.size += bytes.length;
  }

  async end(): Promise<void> {
    const current = this.#open;
    if (current === undefined) {
      return;
    }
    this.#open = undefined;
    const { directory, prefix, durable, written } = this.#options;
    try {
      if (durable) {
        await current.file.datasync();
      }
      await current.file.close();
    } catch (error) {
      throw writeFailed(join(directory, current.path), error);
    }
    const checksum = current.hash.digest("hex");
    written.set(`${prefix}${current.path}`, { size: current.size, checksum });
  }

  /** Syncs the directories, so that the files are in them after a power failure. */
  async sync(): Promise<void> {
    if (!this.#options.durable) {
      return;
    }
    for (const path of this.#directories) {
      try {
        await using directory = await open(path, "r");
        await directory.sync();
      } catch (error) {
        throw writeFailed(path, error);
      }
    }
  }

  /** Closes the file that was being written. */
  async [Symbol.asyncDispose](): Promise<void> {
    const current = this.#open;
    this.#open = undefined;
    await current?.file.close().catch(() => undefined);
  }
}
