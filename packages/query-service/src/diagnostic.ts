/**
 * An error or a notice as PostgreSQL words it, every field kept.
 * Absent fields are `undefined`; positions count characters from 1.
 *
 * @see https://www.postgresql.org/docs/17/protocol-error-fields.html
 */
export interface Diagnostic {
  readonly kind: "error" | "notice";
  /** Field `V`, never translated: ERROR, FATAL, PANIC, WARNING, NOTICE, DEBUG, INFO or LOG. */
  readonly severity: string;
  /** Field `S`: the severity in the server's message language, where that differs. */
  readonly localizedSeverity?: string | undefined;
  /** SQLSTATE, five characters. */
  readonly code: string;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  readonly position?: number | undefined;
  readonly internalPosition?: number | undefined;
  readonly internalQuery?: string | undefined;
  readonly where?: string | undefined;
  readonly schemaName?: string | undefined;
  readonly tableName?: string | undefined;
  readonly columnName?: string | undefined;
  readonly dataTypeName?: string | undefined;
  readonly constraintName?: string | undefined;
  readonly file?: string | undefined;
  readonly line?: string | undefined;
  readonly routine?: string | undefined;
}
