import { chmod, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory for PEM files, which disposing removes. */
export class PemDirectory implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async create(): Promise<PemDirectory> {
    const path = await mkdtemp(join(tmpdir(), "multipooler tls "));
    await chmod(path, 0o755);
    return new PemDirectory(path);
  }

  /** Writes a file, or replaces it in one step. Returns its path. */
  async write(name: string, pem: string): Promise<string> {
    const file = join(this.path, name);
    await writeFile(`${file}.new`, pem, { mode: 0o600 });
    await rename(`${file}.new`, file);
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
