import { BodyReader } from "./body-reader.ts";
import { protocolViolation } from "./error.ts";

/** Far more settings than any PostgreSQL reports; a bound for a peer that is none. */
const MAX_PARAMETERS = 1000;

/** One setting of the session, as the server reports it at start-up and at each change. */
export interface ParameterStatus {
  readonly name: string;
  readonly value: string;
}

/** Reads the body of a ParameterStatus and records it in `parameters`. */
export function recordParameterStatus(
  parameters: Map<string, string>,
  body: Buffer,
): ParameterStatus {
  const reader = new BodyReader({ body, message: "ParameterStatus" });
  const status = { name: reader.string(), value: reader.string() };
  reader.end();
  parameters.set(status.name, status.value);
  if (parameters.size > MAX_PARAMETERS) {
    throw protocolViolation(`the server reports more than ${MAX_PARAMETERS} parameters`);
  }
  return status;
}
