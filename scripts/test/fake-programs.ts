import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { vi } from "vitest";

/** A folder, with a space in its path, for programs that are scripts of a test. */
export class FakePrograms implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "program search "));

  /** Where a search may keep what it has unpacked. */
  get cache(): string {
    return join(this.folder, "cache");
  }

  /** Writes a script of the shell below the folder. */
  add(path: string, script: string): void {
    const file = join(this.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
  }

  /** Makes those in `bin` the only ones that are found. Returns their folder. */
  usePath(): string {
    const bin = join(this.folder, "bin");
    vi.stubEnv("PATH", bin);
    return bin;
  }

  [Symbol.dispose](): void {
    vi.unstubAllEnvs();
    rmSync(this.folder, { recursive: true });
  }
}
