import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** One file in which two folders differ. */
export interface Difference {
  /** The file, relative to both folders. */
  readonly path: string;
  readonly kind: "missing" | "stale" | "superfluous";
}

/**
 * Compares the files of two folders byte for byte. A file is "missing" if only `expected` has it and
 * "superfluous" if only `actual` has it. Sorted by path. A folder that does not exist is empty.
 */
export async function compareDirectories(
  expected: string,
  actual: string,
): Promise<readonly Difference[]> {
  const [expectedFiles, actualFiles] = await Promise.all([filesOf(expected), filesOf(actual)]);
  const paths = [...new Set([...expectedFiles, ...actualFiles])].toSorted();
  const differences = paths.map(async (path): Promise<Difference | undefined> => {
    if (!actualFiles.has(path)) {
      return { path, kind: "missing" };
    }
    if (!expectedFiles.has(path)) {
      return { path, kind: "superfluous" };
    }
    const [one, other] = await Promise.all([
      readFile(join(expected, path)),
      readFile(join(actual, path)),
    ]);
    return one.equals(other) ? undefined : { path, kind: "stale" };
  });
  return (await Promise.all(differences)).filter((difference) => difference !== undefined);
}

async function filesOf(directory: string): Promise<ReadonlySet<string>> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    return new Set(files.map((entry) => relative(directory, join(entry.parentPath, entry.name))));
  } catch (error) {
    if (error instanceof Error && Reflect.get(error, "code") === "ENOENT") {
      return new Set();
    }
    throw error;
  }
}
