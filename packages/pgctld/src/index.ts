export { parseAuthMethod } from "./directory/access-rules.ts";
export type { AccessRules, AuthMethod } from "./directory/access-rules.ts";
export type { ServerSettings } from "./directory/configuration.ts";
export { readControlFile } from "./directory/control-file.ts";
export type { ClusterState, ControlFile } from "./directory/control-file.ts";
export { majorOf } from "./directory/data-directory.ts";
export { DirectoryLock } from "./directory/directory-lock.ts";
export type { DirectoryLockOptions } from "./directory/directory-lock.ts";
export type { StartRole } from "./directory/server-file.ts";
export { PgctldError, PgctldErrorCode } from "./error.ts";
export { PgctldServer } from "./grpc/pgctld-server.ts";
export type { PgctldServerOptions } from "./grpc/pgctld-server.ts";
export { RemotePostgres } from "./grpc/remote-postgres.ts";
export { embeddedBinDir } from "./installation/embedded-installation.ts";
export { findInstallation } from "./installation/find-installation.ts";
export type { InstallationSearch } from "./installation/find-installation.ts";
export { openInstallation } from "./installation/installation.ts";
export type { Installation } from "./installation/installation.ts";
export { LocalPostgres } from "./local-postgres.ts";
export type { LocalStopRequest } from "./local-postgres.ts";
export type { LocalPostgresOptions } from "./local-postgres-options.ts";
export type { Logger } from "./logger.ts";
export type {
  CallOptions,
  InitializeRequest,
  PlaceOfServer,
  PostgresControl,
  PostgresStatus,
  RestartRequest,
  ServerIdentity,
  StartRequest,
  StartResult,
  StopRequest,
  StopResult,
} from "./postgres-control.ts";
export { formatConnInfo } from "./rewind/conn-info.ts";
export type { ConnInfo, PrimaryAddress } from "./rewind/conn-info.ts";
export type { RewindRequest, RewindResult } from "./rewind/rewind.ts";
export type { Environment, ProgramEnd } from "./run/program.ts";
export { userNamed } from "./run/run-as.ts";
export type { User } from "./run/run-as.ts";
export type { RestoreCommandStop } from "./server/restore-command.ts";
export type { LaunchedServer } from "./server/server-launch.ts";
export type { StopMode, StopOutcome } from "./server/server-stop.ts";
