import type { Diagnostic } from "@multipooler/query-service";
import { PgwireError, PgwireErrorCode } from "../error.ts";

/** SQLSTATEs of what a client can do wrong before and around its login, with their PostgreSQL names. */
type ClientFaultState =
  /** protocol_violation */
  | "08P01"
  /** feature_not_supported */
  | "0A000"
  /** invalid_parameter_value */
  | "22023"
  /** invalid_authorization_specification */
  | "28000"
  /** invalid_password */
  | "28P01"
  /** syntax_error */
  | "42601"
  /** program_limit_exceeded */
  | "54000";

const CODES: Readonly<Record<ClientFaultState, PgwireErrorCode>> = {
  "08P01": PgwireErrorCode.ProtocolViolation,
  "0A000": PgwireErrorCode.Unsupported,
  "22023": PgwireErrorCode.InvalidArgument,
  "28000": PgwireErrorCode.AuthenticationFailed,
  "28P01": PgwireErrorCode.AuthenticationFailed,
  "42601": PgwireErrorCode.InvalidArgument,
  "54000": PgwireErrorCode.ProtocolViolation,
};

/** An error of a client that ends its connection, with the `diagnostic` that it is to be sent. */
export function clientFault(
  sqlState: ClientFaultState,
  message: string,
  more: Pick<Diagnostic, "detail" | "hint"> = {},
): PgwireError {
  const diagnostic: Diagnostic = {
    kind: "error",
    severity: "FATAL",
    code: sqlState,
    message,
    ...more,
  };
  return new PgwireError(CODES[sqlState], message, { diagnostic });
}
