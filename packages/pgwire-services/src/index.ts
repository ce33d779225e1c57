export type { ConsoleOptions, ConsoleSetting } from "./console/console-options.ts";
export type { ClientIdentity, ClientView } from "./console/console-view.ts";
export type {
  ConsoleDatabase,
  ConsolePool,
  ConsolePooler,
  ConsoleServer,
  ConsoleTotals,
} from "./console/console-pooler.ts";
export { PgwireServicesError, PgwireServicesErrorCode } from "./error.ts";
export type { ChangeableOptions } from "./server/changeable-options.ts";
export { PgwireServer } from "./server/pgwire-server.ts";
export type { ClientCount } from "./server/pgwire-server.ts";
export type { PgwireServerOptions } from "./server/pgwire-server-options.ts";
export type { PoolerManager } from "./server/pgwire-server-options.ts";
export { CLIENT_CERTIFICATES } from "./login/certificate-check.ts";
export type { ClientCertificateDemand } from "./login/certificate-check.ts";
