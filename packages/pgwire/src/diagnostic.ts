/**
 * An error or a notice as PostgreSQL words it, every field kept.
 * Absent fields are `undefined`; positions count characters from 1.
 *
 * @see https://www.postgresql.org/docs/17/protocol-error-fields.html
 */
export interface Diagnostic {
  readonly kind: "error" | "notice";
  /** As the server words it, in its message language; the untranslated form if it sends only that. */
  readonly severity: string;
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
