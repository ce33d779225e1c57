import { chown, open, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { ioFailed } from "../error.ts";
import type { RunAs } from "../run/run-as.ts";

/** How much of what a server wrote since a moment is read at once. */
const MAX_READ_BYTES = 262_144;

/**
 * The file that a server writes its log to. It outlives this process, as the server does. Others may
 * cut it to rotate it.
 */
export class ServerLog {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Opens the file for a server that is about to start; the caller closes it. */
  async openForServer(runAs: RunAs): Promise<FileHandle> {
    try {
      const file = await open(this.path, "a", 0o640);
      if (runAs.kind !== "self") {
        await chown(this.path, runAs.user.uid, runAs.user.gid);
      }
      return file;
    } catch (error) {
      throw ioFailed(`the log ${this.path} cannot be opened`, error);
    }
  }

  /** Where the log ends now, for `since`. */
  async mark(): Promise<number> {
    try {
      return (await stat(this.path)).size;
    } catch {
      return 0;
    }
  }

  /** The lines since a mark: complete ones, the last 256 KiB of them. None when it cannot be read. */
  async since(mark: number): Promise<string[]> {
    try {
      await using file = await open(this.path, "r");
      const { size } = await file.stat();
      const from = Math.max(size < mark ? 0 : mark, size - MAX_READ_BYTES);
      const buffer = Buffer.alloc(size - from);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
      return buffer.toString("utf8", 0, bytesRead).split("\n").slice(0, -1);
    } catch {
      return [];
    }
  }
}
