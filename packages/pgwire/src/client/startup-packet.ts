import { MessageBody } from "@multipooler/query-service";
import { CANCEL_REQUEST_CODE } from "../messages/protocol.ts";
import { clientFault } from "./client-fault.ts";
import { parseStartupOptions } from "./startup-options.ts";

/** The versions of protocol 3 that clients are served with. 3.2 differs in the length of cancel keys. */
export type ClientProtocol = "3.0" | "3.2";

/** What a client asks for in its StartupMessage. */
export interface ClientStartup {
  readonly protocol: ClientProtocol;
  readonly user: string;
  /** As PostgreSQL has it, the name of the user where the client names none. */
  readonly database: string;
  /** Start-up parameters and those in `options`, by name. `replication` is left out when it is off. */
  readonly settings: ReadonlyMap<string, string>;
  /**
   * What the client asked for and does not get: a newer minor version, or options of the protocol.
   * `undefined`: it gets all; otherwise it is to be told with NegotiateProtocolVersion.
   */
  readonly unknownOptions: readonly string[] | undefined;
}

/**
 * The packet with which a client begins, before which nothing may be sent.
 *
 * | type    | is                                                                   |
 * | ------- | -------------------------------------------------------------------- |
 * | tls     | SSLRequest: answered with one byte, then another packet follows      |
 * | gss     | GSSENCRequest: likewise                                              |
 * | cancel  | CancelRequest: the connection ends without an answer                 |
 * | startup | StartupMessage                                                       |
 */
export type StartupPacket =
  | { readonly type: "tls" }
  | { readonly type: "gss" }
  | { readonly type: "cancel"; readonly processId: number; readonly secretKey: Buffer }
  | { readonly type: "startup"; readonly startup: ClientStartup };

/** The length that each packet begins with; it counts itself. */
export const PACKET_LENGTH_BYTES = 4;
const CODE_BYTES = 4;
const PROCESS_ID_BYTES = 4;
/** PostgreSQL's MAX_STARTUP_PACKET_LENGTH. */
const MAX_PACKET_BYTES = 10_000;

const SSL_REQUEST_CODE = 80_877_103;
const GSSENC_REQUEST_CODE = 80_877_104;
const MAJOR_VERSION = 3;
const OPTION_PREFIX = "_pq_.";

/**
 * The size of the packet whose length is in the first four bytes. `undefined` for one that no packet
 * has: who sent it speaks another protocol, or left, and gets no answer, as from PostgreSQL.
 */
export function startupPacketBytes(length: Buffer): number | undefined {
  const bytes = length.readInt32BE();
  return bytes < PACKET_LENGTH_BYTES + CODE_BYTES || bytes > MAX_PACKET_BYTES ? undefined : bytes;
}

/**
 * Reads a packet, without its length.
 *
 * @throws a `PgwireError` with the `diagnostic` for the client, or a `MalformedMessageError`
 */
export function parseStartupPacket(content: Buffer): StartupPacket {
  const body = new MessageBody({ body: content, message: "the startup packet" });
  const code = body.int32();
  switch (code) {
    case SSL_REQUEST_CODE:
      body.end();
      return { type: "tls" };
    case GSSENC_REQUEST_CODE:
      body.end();
      return { type: "gss" };
    case CANCEL_REQUEST_CODE:
      return parseCancel(body);
    default:
      return { type: "startup", startup: parseStartup(code, body) };
  }
}

/** The error for a request for encryption where none may come. */
export function unexpectedEncryptionRequest(type: "tls" | "gss"): Error {
  return unsupportedVersion(type === "tls" ? SSL_REQUEST_CODE : GSSENC_REQUEST_CODE);
}

/** A packet that is too short for a key has a wrong one, since neither gets an answer. */
function parseCancel(body: MessageBody): StartupPacket {
  const processId = body.remaining < PROCESS_ID_BYTES ? 0 : body.int32();
  return { type: "cancel", processId, secretKey: body.rest() };
}

function parseStartup(version: number, body: MessageBody): ClientStartup {
  const minor = version & 0xffff;
  if (version >>> 16 !== MAJOR_VERSION) {
    throw unsupportedVersion(version);
  }
  const parameters = readParameters(body);
  const user = parameters.get("user") ?? "";
  if (user === "") {
    throw clientFault("28000", "no PostgreSQL user name specified in startup packet");
  }
  const database = parameters.get("database") ?? "";
  const unknownOptions = [...parameters.keys()].filter((name) => name.startsWith(OPTION_PREFIX));
  const protocol: ClientProtocol = minor >= 2 ? "3.2" : "3.0";
  const getsAll = unknownOptions.length === 0 && protocol === `3.${minor}`;
  return {
    protocol,
    user,
    database: database === "" ? user : database,
    settings: settingsOf(parameters),
    unknownOptions: getsAll ? undefined : unknownOptions,
  };
}

function readParameters(body: MessageBody): Map<string, string> {
  const parameters = new Map<string, string>();
  let isTerminated = false;
  while (!isTerminated && body.remaining > 0) {
    const name = body.string();
    if (name === "") {
      isTerminated = true;
    } else if (body.remaining > 0) {
      parameters.set(name, body.string());
    }
  }
  if (!isTerminated || body.remaining > 0) {
    throw layoutFault();
  }
  return parameters;
}

/** `options` are the command line of the server's process, which the other parameters override. */
function settingsOf(parameters: ReadonlyMap<string, string>): Map<string, string> {
  const settings = new Map(parseStartupOptions(parameters.get("options") ?? ""));
  for (const [name, value] of parameters) {
    if (name === "replication" ? isReplication(value) : isSetting(name)) {
      settings.set(name, value);
    }
  }
  return settings;
}

function isSetting(name: string): boolean {
  return (
    name !== "user" && name !== "database" && name !== "options" && !name.startsWith(OPTION_PREFIX)
  );
}

const ON: ReadonlySet<string> = new Set(["true", "on", "yes", "1", "database"]);
const OFF: ReadonlySet<string> = new Set(["false", "off", "no", "0"]);

function isReplication(value: string): boolean {
  const word = value.toLowerCase();
  if (!ON.has(word) && !OFF.has(word)) {
    throw clientFault("22023", `invalid value for parameter "replication": "${value}"`, {
      hint: 'Valid values are: "false", 0, "true", 1, "database".',
    });
  }
  return ON.has(word);
}

function layoutFault(): Error {
  return clientFault("08P01", "invalid startup packet layout: expected terminator as last byte");
}

function unsupportedVersion(version: number): Error {
  return clientFault(
    "0A000",
    `unsupported frontend protocol ${version >>> 16}.${version & 0xffff}: server supports 3.0 to 3.2`,
  );
}
