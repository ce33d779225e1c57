export { certificateHash, serverCertificateHash } from "./certificate-hash.ts";
export { checkClientTls, ClientTlsFiles } from "./client-tls-files.ts";
export type { ClientTlsConfig } from "./client-tls-files.ts";
export { TlsError, TlsErrorCode, tlsFault } from "./error.ts";
export { ALPN_NAME } from "./handshake.ts";
export type { EncryptOptions } from "./handshake.ts";
export { openEncrypted } from "./open-encrypted.ts";
export type { OpenEncryptedOptions } from "./open-encrypted.ts";
export type { ServerTlsPaths } from "./server-tls-files.ts";
export { CHANNEL_BINDINGS, TLS_MODES, TLS_NEGOTIATIONS } from "./tls-settings.ts";
export type {
  ChannelBindingMode,
  TlsMode,
  TlsNegotiation,
  TlsSettings,
} from "./tls-settings.ts";
export type { TlsLogger, WatchContext } from "./watched-files.ts";
export { subjectText, TlsAcceptor } from "./tls-acceptor.ts";
export type { AcceptedTls, ClientCertificate, TlsAcceptorOptions } from "./tls-acceptor.ts";
