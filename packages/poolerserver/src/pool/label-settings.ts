import { PoolerErrorCode } from "@multipooler/query-service";
import type { Settings } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";
import { parseConditions } from "../statements/parse-conditions.ts";

const READ_ONLY_SETTINGS = ["default_transaction_read_only", "transaction_read_only"];
const TRUE_VALUES = new Set(["on", "true", "yes", "1"]);
const ASCII = /^[\x20-\x7e\t\n\r]*$/;
const UTF8_NAMES = new Set(["utf8", "unicode"]);
/** Client encodings in which a byte of ASCII may be part of another character. */
const UNREADABLE_ENCODINGS = new Set([
  "sjis",
  "mskanji",
  "shiftjis",
  "win932",
  "windows932",
  "shiftjis2004",
  "big5",
  "win950",
  "windows950",
  "gbk",
  "win936",
  "windows936",
  "uhc",
  "win949",
  "windows949",
  "gb18030",
  "johab",
]);

/**
 * The settings of a label, in lower case and in order; the role and the session authorization are
 * two of them. Equal settings are mostly, and different ones never, the same object: see
 * `SettingsCache`.
 */
export class LabelSettings {
  readonly values: ReadonlyMap<string, string>;
  /** They say as whom statements run. That is set again for each unit: the role may be gone. */
  readonly changesIdentity: boolean;
  /** Text is not sent in UTF-8. */
  readonly isOtherEncoding: boolean;
  /** In ASCII, which reads the same in every encoding that does not obscure text. */
  readonly isInAnyEncoding: boolean;
  /** Text cannot be read without knowledge of its encoding, so that nothing is known of statements. */
  readonly obscuresText: boolean;
  /** They lift the read-only default of a session. */
  readonly liftsReadOnly: boolean;
  #conditions: string | undefined;

  /** @throws INVALID_ARGUMENT for a NUL character */
  constructor(settings: Settings) {
    const values = new Map<string, string>();
    // Of two spellings of a name the one that sorts last counts.
    for (const [name, value] of [...settings].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      values.set(name.toLowerCase(), value);
    }
    this.values = new Map([...values].toSorted(([a], [b]) => (a < b ? -1 : 1)));
    for (const [name, value] of this.values) {
      if (name === "" || name.includes("\0") || value.includes("\0")) {
        throw unusableSetting(name);
      }
    }
    this.isInAnyEncoding = [...this.values].flat().every((text) => ASCII.test(text));
    this.changesIdentity = values.has("role") || values.has("session_authorization");
    const encoding = values.get("client_encoding");
    this.isOtherEncoding = encoding !== undefined && !isUtf8(encoding);
    this.obscuresText = obscuresText(encoding);
    this.liftsReadOnly = READ_ONLY_SETTINGS.some((name) => {
      const value = values.get(name);
      return value !== undefined && !TRUE_VALUES.has(value.trim().toLowerCase());
    });
  }

  /** Those that decide what a text means when it is parsed; see `parseConditions`. */
  get conditions(): string {
    this.#conditions ??= parseConditions(this.values);
    return this.#conditions;
  }
}

/** Whether that is a name of UTF-8. */
export function isUtf8(encoding: string): boolean {
  return UTF8_NAMES.has(plainName(encoding));
}

/** Whether text in it cannot be read without knowledge of it. */
export function obscuresText(encoding: string | undefined): boolean {
  return encoding !== undefined && UNREADABLE_ENCODINGS.has(plainName(encoding));
}

/** PostgreSQL passes over everything else in the name of an encoding. */
function plainName(encoding: string): string {
  return encoding.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}

/** A session as it was opened. */
export const NO_SETTINGS: LabelSettings = new LabelSettings(new Map());

/** The error of a unit whose settings would let a read-only session write. */
export function liftsReadOnlyError(): MultiPoolerError {
  const message = "a setting that allows writes is refused while the pooler serves read-only";
  return new MultiPoolerError(PoolerErrorCode.ReadOnly, message, {
    diagnostic: errorDiagnostic("25006", message),
  });
}

function unusableSetting(name: string): MultiPoolerError {
  const problem =
    name === ""
      ? "a setting without a name"
      : `the setting ${JSON.stringify(name)} has a NUL character in its name or its value`;
  return new MultiPoolerError(PoolerErrorCode.InvalidArgument, problem, {
    diagnostic: errorDiagnostic("22023", problem),
  });
}
