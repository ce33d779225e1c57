const FAULTS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "is a directory",
  ENOTDIR: "is not a directory",
  EEXIST: "is not a directory",
  EROFS: "is on a read-only file system",
};

/** Describes in a few words why a file or directory could not be used. */
export function fileFault(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return FAULTS[code] ?? error.message;
}
