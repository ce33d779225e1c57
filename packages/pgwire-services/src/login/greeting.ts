import { encodeBackendKeyData, encodeReadyForQuery } from "@multipooler/pgwire";
import { encodeParameterStatus } from "@multipooler/query-service";
import type { Settings } from "@multipooler/query-service";
import type { CancelKey } from "../server/cancel-keys.ts";

/** Reported as the client has set it: that of the connection to PostgreSQL is the pooler's. */
const APPLICATION_NAME = "application_name";

/** What a client is sent between AuthenticationOk and its first statement. */
export function encodeGreeting(
  parameters: Settings,
  startupSettings: Settings,
  key: CancelKey,
): Uint8Array {
  const reported = new Map(parameters);
  reported.set(APPLICATION_NAME, startupSettings.get(APPLICATION_NAME) ?? "");
  return Buffer.concat([
    ...[...reported].map(([name, value]) => encodeParameterStatus({ name, value })),
    encodeBackendKeyData(key.processId, key.secretKey),
    encodeReadyForQuery("I"),
  ]);
}
