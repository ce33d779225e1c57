import { mkdir, open, rename } from "node:fs/promises";
import path from "node:path";

/**
 * Replaces a file so that after a crash at any moment it holds either what it held before or
 * `text`, whole. Creates the directory if need be.
 */
export async function replaceFile(file: string, text: string): Promise<void> {
  const directory = path.dirname(file);
  await mkdir(directory, { recursive: true });
  const temporary = `${file}.tmp`;
  const handle = await open(temporary, "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  // The new name is as durable as the directory that holds it.
  const listing = await open(directory, "r");
  try {
    await listing.sync();
  } finally {
    await listing.close();
  }
}
