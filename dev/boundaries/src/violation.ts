/** The rules that {@link ./table.ts} feeds; each violation names one. */
export type Rule =
  | "app-import"
  | "computed-import"
  | "confined-module"
  | "deep-import"
  | "forbidden-import"
  | "manifest"
  | "no-dependency"
  | "relative-escape"
  | "star-export"
  | "test-only"
  | "undeclared-import"
  | "unlisted-package"
  | "unreadable-source";

/** One thing that the table does not allow. */
export interface Violation {
  readonly rule: Rule;
  /** Path from the repository's root. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** What was found and why it is wrong, as one sentence. */
  readonly message: string;
}

/** `file:line: message [rule]`, the shape that editors make clickable. */
export function formatViolation(violation: Violation): string {
  return `${violation.file}:${violation.line}: ${violation.message} [${violation.rule}]`;
}
