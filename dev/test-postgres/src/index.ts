export type { SqlResultRow, TemporaryDatabase } from "./database.ts";
export type { TestPostgres } from "./test-postgres.ts";
export { findFreePort } from "./free-port.ts";
export { startPostgres } from "./start-postgres.ts";
export type { PasswordUse, StartPostgresOptions } from "./start-postgres.ts";
export { scramKeysOf } from "./scram-keys.ts";
export type { LoginKeys } from "./scram-keys.ts";
export { setServerAccess, setServerTls } from "./server-tls.ts";
export type { ServerTls } from "./server-tls.ts";
