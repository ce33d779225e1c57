import { chown, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { BaseBackupError, BaseBackupErrorCode } from "./error.ts";
import type { Owner } from "./extraction.ts";

/** A directory that is filled beside its place and moved there when it is whole. */
export class Target implements AsyncDisposable {
  readonly place: string;
  /** Where it is filled. */
  readonly staging: string;

  private constructor(place: string, staging: string) {
    this.place = place;
    this.staging = staging;
  }

  /** Rejects with TARGET_UNUSABLE when there is something at its place. */
  static async prepare(place: string, owner: Owner | undefined): Promise<Target> {
    try {
      const found = await readdir(place).catch((error: unknown) => {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") {
          return [];
        }
        throw error;
      });
      if (found.length > 0) {
        throw new Error("it is not empty");
      }
      await mkdir(dirname(place), { recursive: true });
      const staging = await mkdtemp(`${place}.copy-`);
      if (owner !== undefined) {
        await chown(staging, owner.uid, owner.gid);
      }
      return new Target(place, staging);
    } catch (error) {
      throw unusable(place, error);
    }
  }

  /** Moves it into place. */
  async commit(): Promise<void> {
    try {
      await rename(this.staging, this.place);
    } catch (error) {
      throw unusable(this.place, error);
    }
  }

  /** Removes what was not moved. */
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.staging, { recursive: true, force: true });
  }
}

function unusable(place: string, cause: unknown): BaseBackupError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `the directory ${place} cannot be made: ${reason}`;
  return new BaseBackupError(BaseBackupErrorCode.TargetUnusable, message, { cause });
}
