export type { SqlResultRow, TemporaryDatabase } from "./database.ts";
export type { EmbeddedPostgres } from "./embedded-postgres.ts";
export { EmbeddedPostgresError, type EmbeddedPostgresErrorCode } from "./error.ts";
export type { AuthMethod } from "./initdb.ts";
export { findFreePort } from "./network.ts";
export type { ServerEnd, StopMode } from "./server-process.ts";
export { startPostgres, type StartPostgresOptions } from "./start-postgres.ts";
export { scramKeysOf, type LoginKeys } from "./scram-keys.ts";
export { setServerAccess, setServerTls, type ServerTls } from "./server-tls.ts";
