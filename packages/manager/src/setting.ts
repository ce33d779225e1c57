import { ManagerError, ManagerErrorCode } from "./manager-error.ts";

/** The bounds of a whole-number setting, both included. */
export interface IntegerRange {
  readonly min: number;
  readonly max: number;
}

/** The refusal of a setting: names it, its value and what it must be. */
export function invalidSetting(setting: string, value: unknown, rule: string): ManagerError {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  return new ManagerError(
    ManagerErrorCode.InvalidConfig,
    `${setting} is ${shown}; it must be ${rule}`,
    { setting },
  );
}

/** Returns `value` if it is a whole number in range; throws INVALID_CONFIG otherwise. */
export function checkInteger(setting: string, value: number, { min, max }: IntegerRange): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw invalidSetting(setting, value, `a whole number from ${min} to ${max}`);
  }
  return value;
}

/** Returns `value` if it can name a role or a database; throws INVALID_CONFIG otherwise. */
export function checkPostgresName(setting: string, value: string): string {
  // PostgreSQL cuts a longer name without a word, and then it may be another's name.
  const limit = 63;
  if (value === "" || value.includes("\0") || Buffer.byteLength(value) > limit) {
    throw invalidSetting(setting, value, `1 to ${limit} bytes without a zero byte`);
  }
  return value;
}

/** Returns `value` unless it is empty or holds a zero byte; throws INVALID_CONFIG otherwise. */
export function checkText(setting: string, value: string): string {
  if (value === "" || value.includes("\0")) {
    throw invalidSetting(setting, value, "a text that is not empty and has no zero byte");
  }
  return value;
}
