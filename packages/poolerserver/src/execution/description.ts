import { decodeFields, decodeParameterTypes, PoolerErrorCode } from "@multipooler/query-service";
import type {
  Field,
  ResultEvent,
  ResultSink,
  StatementDescription,
} from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic } from "../error.ts";

/** Gathers what the server says of a statement. */
export class Description implements ResultSink {
  #parameterTypes: readonly number[] = [];
  #fields: readonly Field[] | undefined;

  /** Takes a ParameterDescription. */
  readonly described = (parameters: Uint8Array): void => {
    this.#parameterTypes = decodeParameterTypes(parameters);
  };

  write(event: ResultEvent): undefined {
    if (event.type === "fields") {
      this.#fields = decodeFields(event.bytes);
    }
  }

  get value(): StatementDescription {
    return { parameterTypes: this.#parameterTypes, fields: this.#fields };
  }
}

/** The error of a Describe that failed: nothing was changed, also where its connection was lost. */
export function describeError(error: MultiPoolerError): MultiPoolerError {
  if (error.code !== PoolerErrorCode.ConnectionLost) {
    return error;
  }
  const message = "the connection to the database was lost while a statement was described";
  return new MultiPoolerError(PoolerErrorCode.PreExecutionUnavailable, message, {
    cause: error,
    diagnostic:
      error.diagnostic ??
      errorDiagnostic("57P03", "database is temporarily unavailable; please retry"),
  });
}
