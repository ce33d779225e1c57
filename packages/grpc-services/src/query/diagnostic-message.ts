import type { Diagnostic } from "@multipooler/query-service";
import type { PgDiagnostic } from "@multipooler/proto/query";

/** The type bytes of PostgreSQL's ErrorResponse and NoticeResponse. */
const MESSAGE_TYPE = { error: 69, notice: 78 } as const;
const MAX_INT32 = 0x7fff_ffff;

/** A diagnostic as the wire carries it; file, line and routine have no place there. */
export function diagnosticMessage(diagnostic: Diagnostic): PgDiagnostic {
  return {
    messageType: MESSAGE_TYPE[diagnostic.kind],
    severity: diagnostic.severity,
    code: diagnostic.code,
    message: diagnostic.message,
    detail: diagnostic.detail ?? "",
    hint: diagnostic.hint ?? "",
    position: position(diagnostic.position),
    internalPosition: position(diagnostic.internalPosition),
    internalQuery: diagnostic.internalQuery ?? "",
    where: diagnostic.where ?? "",
    schemaName: diagnostic.schemaName ?? "",
    tableName: diagnostic.tableName ?? "",
    columnName: diagnostic.columnName ?? "",
    dataTypeName: diagnostic.dataTypeName ?? "",
    constraintName: diagnostic.constraintName ?? "",
  };
}

/** 0, which stands for "none", also for what the wire's int32 cannot hold. */
function position(value: number | undefined): number {
  return value !== undefined && Number.isInteger(value) && value > 0 && value <= MAX_INT32
    ? value
    : 0;
}
