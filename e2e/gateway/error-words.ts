import { GrpcStatusError } from "@multipooler/grpc-services/client";
import type { Diagnostic } from "@multipooler/query-service";

type PgDiagnostic = NonNullable<GrpcStatusError["diagnostic"]>;

/** An error that the gateway itself has words for. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What a client is told when a call of the pooler fails: contract 4.2. */
export function errorWords(error: unknown): Diagnostic {
  if (error instanceof GatewayError) {
    return words(error.code, error.message);
  }
  if (!(error instanceof GrpcStatusError)) {
    throw error;
  }
  switch (error.code) {
    case "DEADLINE_EXCEEDED":
      return words("57014", "canceling statement due to statement timeout");
    case "CANCELLED":
      return words("57014", "canceling statement due to user request");
    default:
      return error.diagnostic === undefined
        ? words("XX000", error.message)
        : diagnosticOf(error.diagnostic);
  }
}

/** A diagnostic of the wire as PostgreSQL has it: an empty text is one that was not sent. */
export function diagnosticOf(diagnostic: PgDiagnostic): Diagnostic {
  const { messageType, severity, code, message, position, internalPosition } = diagnostic;
  const text = (value: string): string | undefined => (value === "" ? undefined : value);
  return {
    kind: messageType === 78 ? "notice" : "error",
    severity,
    code,
    message,
    detail: text(diagnostic.detail),
    hint: text(diagnostic.hint),
    position: position === 0 ? undefined : position,
    internalPosition: internalPosition === 0 ? undefined : internalPosition,
    internalQuery: text(diagnostic.internalQuery),
    where: text(diagnostic.where),
    schemaName: text(diagnostic.schemaName),
    tableName: text(diagnostic.tableName),
    columnName: text(diagnostic.columnName),
    dataTypeName: text(diagnostic.dataTypeName),
    constraintName: text(diagnostic.constraintName),
  };
}

function words(code: string, message: string): Diagnostic {
  return { kind: "error", severity: "ERROR", code, message };
}
