import type { Duplex } from "node:stream";
import { AUTHENTICATION_OK, encodeNegotiateProtocolVersion } from "@multipooler/pgwire";
import type { ClientStartup } from "@multipooler/pgwire";
import type {
  CallOptions,
  LoginCredentials,
  LoginRequest,
  ScramKeys,
} from "@multipooler/query-service";
import { checkCertificate } from "./certificate-check.ts";
import type { ClientCertificateDemand } from "./certificate-check.ts";
import { checkPassword, checkRole } from "./credential-check.ts";
import type { CredentialLookup } from "./credential-check.ts";
import { LoginDialogue } from "./login-dialogue.ts";
import type { ClientRequest, Encryption } from "./login-dialogue.ts";
import { Refusal } from "./refusal.ts";

export interface LoginOptions {
  readonly socket: Duplex;
  /** Looks up the role that the client names; see `QueryService.getCredentials`. */
  readonly credentials: (
    request: LoginRequest,
    options: CallOptions,
  ) => Promise<LoginCredentials | undefined>;
  /** `undefined`: the connection is never encrypted. */
  readonly encryption: Encryption | undefined;
  /** Whether a client is refused that does not encrypt its connection. */
  readonly tlsRequired: boolean;
  readonly clientCertificate: ClientCertificateDemand;
  /** Of the client. */
  readonly ends: { readonly address: string };
  /** Whether this client need not prove anything. */
  readonly isTrusted: boolean;
  /** Throws a `Refusal` if a client that asks for this is not let in. */
  readonly admit: (startup: ClientStartup) => void;
  /** Gets the socket to go on with once the connection is encrypted. */
  readonly onSocket: (secure: Duplex) => void;
}

/** A client that has proved who it is. */
export interface LoggedIn {
  readonly type: "client";
  readonly startup: ClientStartup;
  /** `undefined` for a client that is trusted, or known by its certificate. */
  readonly keys: ScramKeys | undefined;
}

export type LoginResult = LoggedIn | Extract<ClientRequest, { type: "cancel" }>;

/**
 * Leads a client from its first byte to AuthenticationOk.
 *
 * Rejects with what ends the connection (see `lastWords`) or the signal's reason.
 */
export async function login(options: LoginOptions, signal: AbortSignal): Promise<LoginResult> {
  const { socket, encryption, onSocket } = options;
  const dialogue = new LoginDialogue({ socket, encryption, onSocket, signal });
  try {
    const request = await dialogue.request();
    if (request.type === "cancel") {
      return request;
    }
    options.admit(request.startup);
    return await authenticate(dialogue, request.startup, { ...options, signal });
  } finally {
    dialogue.release();
  }
}

async function authenticate(
  dialogue: LoginDialogue,
  startup: ClientStartup,
  options: LoginOptions & { readonly signal: AbortSignal },
): Promise<LoggedIn> {
  const { user, database, unknownOptions } = startup;
  const { credentials, signal, isTrusted, clientCertificate } = options;
  if (unknownOptions !== undefined) {
    dialogue.write(encodeNegotiateProtocolVersion(startup, unknownOptions));
  }
  if (options.tlsRequired && !dialogue.isEncrypted) {
    throw notEncrypted(startup, options.ends);
  }
  const lookup: CredentialLookup = (name) => credentials({ database, user: name }, { signal });
  checkCertificate(clientCertificate, { certificate: dialogue.certificate, user });
  if (isTrusted || clientCertificate === "cert") {
    await checkRole(user, lookup);
    dialogue.write(AUTHENTICATION_OK);
    return { type: "client", startup, keys: undefined };
  }
  const { keys, lastMessage } = await checkPassword(dialogue, user, lookup);
  dialogue.write(Buffer.concat([lastMessage, AUTHENTICATION_OK]));
  return { type: "client", startup, keys };
}

/** In PostgreSQL's words where `pg_hba.conf` has `hostssl` lines only: drivers go by them. */
function notEncrypted(
  { user, database }: ClientStartup,
  { address }: LoginOptions["ends"],
): Refusal {
  return new Refusal(
    "28000",
    `no pg_hba.conf entry for host "${address}", user "${user}", database "${database}", no encryption`,
    { reason: "the client did not encrypt its connection" },
  );
}
