export type { SqlResultRow, TemporaryDatabase } from "./database.ts";
export type { EmbeddedPostgres } from "./embedded-postgres.ts";
export { findFreePort } from "./network.ts";
export { startPostgres } from "./start-postgres.ts";
export type { PasswordUse, StartPostgresOptions } from "./start-postgres.ts";
export { scramKeysOf } from "./scram-keys.ts";
export type { LoginKeys } from "./scram-keys.ts";
export { setServerAccess, setServerTls } from "./server-tls.ts";
export type { ServerTls } from "./server-tls.ts";
